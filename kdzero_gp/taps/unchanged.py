"""Keeps modes, buffers and random numbers while a network is examined."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from kdzero_gp.taps.wrapped import shard_again


class _Kept(NamedTuple):
    """The kept copy of a buffer."""

    owner: nn.Module
    name: str
    tensor: Tensor
    version: int
    value: Tensor


class KeptBuffers:
    """Keeps the present buffers of a network, to be put back: statistics, and the ranges of observers.

    Args:
        model: the network; a buffer that several modules share is kept once.
    """

    def __init__(self, model: nn.Module) -> None:
        self._kept = [
            _Kept(owner, name, tensor, version(tensor), tensor.detach().clone())
            for owner in model.modules()
            for name, tensor in owner._buffers.items()
            if tensor is not None and not tensor.is_meta
        ]

    def put_back(self) -> bool:
        """Restores identity, shape and value of every buffer; tells whether any had changed."""
        moved = False
        for kept in self._kept:
            if kept.owner._buffers.get(kept.name) is not kept.tensor:
                kept.owner._buffers[kept.name] = kept.tensor
                moved = True
            # A write through `.data` leaves the version alone.
            same = kept.tensor.shape == kept.value.shape and torch.equal(kept.tensor, kept.value)
            if not same or version(kept.tensor) != kept.version:
                moved = moved or not same
                if not same:
                    with torch.no_grad():
                        kept.tensor.resize_(kept.value.shape).copy_(kept.value)
        return moved


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts every module into evaluation mode inside the block, and back into its own mode afterwards.

    Not by `eval()`: a network may do more in it, such as fold weights into one another.
    """
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Restores modes, buffers, shards and random states of a network that the block runs."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = KeptBuffers(model)
    python, numbers = random.getstate(), np.random.get_state()
    devices = {tensor.device for tensor in model.parameters() if tensor.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        buffers.put_back()
        shard_again(model)
        for module, training in modes:
            module.training = training


def version(value: Tensor) -> int:
    """Counts the in-place changes of a tensor; 0 for tensors of inference mode, which keep no count."""
    return 0 if value.is_inference() else value._version
