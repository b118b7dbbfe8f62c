"""Keeps a distiller's own parameters equal in every process of a data-parallel training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.utils.hooks import RemovableHandle

from kdzero_gp.errors import TapError
from kdzero_gp.taps.wrapped import is_sharded


class Agreement:
    """Averages the gradients of some parameters over the processes of a student's training.

    `DistributedDataParallel` and `fully_shard` average those of their own parameters alone; others would drift apart
    with the images that each process sees. Gradients are averaged when a backward pass ends, all at once, so that every
    process asks for the same in the same order. What was averaged before stays as it is by averaging it again, so
    gradients of several passes may add up.

    Args:
        student: in `DistributedDataParallel`, sharded by `fully_shard`, or neither: then nothing is done.
        parameters: equal in all processes.

    Raises:
        TapError: a mesh of several dimensions, whose processes hold different parts of one network.
    """

    def __init__(self, student: nn.Module, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._handles: list[RemovableHandle] = []
        self._asked = False
        self._group = _group(student)
        if self._group is None or not self._parameters:
            return
        with torch.no_grad():
            for parameter in self._parameters:
                dist.broadcast(parameter, dist.get_global_rank(self._group, 0), group=self._group)
        self._handles = [parameter.register_post_accumulate_grad_hook(self._ask) for parameter in self._parameters]

    def begin(self) -> None:
        """Forgets a backward pass that failed."""
        self._asked = False

    def close(self) -> None:
        """Ends the averaging."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _ask(self, parameter: Tensor) -> None:
        if not self._asked:
            self._asked = True
            torch.autograd.Variable._execution_engine.queue_callback(self._average)

    def _average(self) -> None:
        self._asked = False
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat, group=self._group)
        flat /= dist.get_world_size(self._group)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _group(student: nn.Module) -> Any:
    """Gives the process group of a student's training; None for a single process."""
    if not (dist.is_available() and dist.is_initialized()):
        return None
    for module in student.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            return module.process_group
    if not is_sharded(student):
        return None
    mesh = next(parameter.device_mesh for parameter in student.parameters() if hasattr(parameter, "device_mesh"))
    if mesh.ndim != 1:
        raise TapError(
            f"The student is sharded over a mesh of {mesh.ndim} dimensions, {tuple(mesh.mesh.shape)}, but distillation "
            "in a loop of one's own knows meshes of one; shard it over one, or use DistributedDataParallel"
        )
    return mesh.get_group()
