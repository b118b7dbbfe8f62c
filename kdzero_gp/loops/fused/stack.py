"""The base of all stacks: K students of one architecture in one module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdzero_gp.errors import KdzeroError


class FuseError(KdzeroError):
    """A model whose students cannot be trained in one program, but one by one."""


class Stack(ABC):
    """The parameters and buffers of K students, and one forward pass for all of them.

    Attributes:
        count: K.
        leaves: what an optimiser holds, in the order of the student's own parameters. Each keeps the K students'
            tensors one after another in memory.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise FuseError(f"a stack of {count} students was asked for, but it must be at least 1")
        self.count = count
        self.leaves: list[nn.Parameter] = []
        self._tensors: dict[str, Tensor] = {}

    @abstractmethod
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Runs all students on the same images (B, C, H, W) in training mode.

        Returns:
            The taps with a graph to the leaves, each to be taken apart by `apart`.
        """

    @abstractmethod
    def apart(self, tap: Tensor) -> tuple[Tensor, ...]:
        """Splits a tap by student, (B, C, H, W) or (B, D) each."""

    @abstractmethod
    def together(self, tap: Tensor) -> Tensor:
        """Views the tap of all students as (K, B, …)."""

    def read(self, student: int) -> dict[str, Tensor]:
        """Reads the `state_dict` of one student, as views."""
        return {name: tensor[student] for name, tensor in self._tensors.items()}

    def write(self, student: int, state: Mapping[str, Tensor]) -> None:
        """Gives one student the weights and buffers of a `state_dict`."""
        with torch.no_grad():
            for name, tensor in self._tensors.items():
                tensor[student].copy_(state[name])

    def clear(self, student: int) -> None:
        """Zeroes one student, so that nothing it computes from now on is NaN."""
        with torch.no_grad():
            for tensor in self._tensors.values():
                tensor[student].zero_()

    def split(self, leaf_sized: Tensor) -> Tensor:
        """Views a tensor of a leaf's size (its gradient, its momentum) as (K, …), one row for each student."""
        return torch.unflatten(leaf_sized, 0, (self.count, leaf_sized.shape[0] // self.count))

    def rows(self, leaf_sized: Tensor) -> Tensor:
        """Views a tensor of a leaf's size as (K, numbers of one student), in any order within a row."""
        if leaf_sized.dim() == 4 and leaf_sized.is_contiguous(memory_format=torch.channels_last):
            leaf_sized = leaf_sized.permute(0, 2, 3, 1)
        return leaf_sized.view(self.count, -1)
