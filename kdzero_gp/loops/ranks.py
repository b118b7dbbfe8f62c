"""The processes of a data-parallel training, and their messages; usually there is one process alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge


@dataclass(frozen=True)
class Ranks:
    """The rank of this process and the number of processes, in torch's default process group.

    Every process computes the loss of the *whole* batch from the gathered knowledge, so that a distiller that compares
    the samples of a batch with one another sees the same batch as in one process. The gradient that then arrives at a
    process' own samples is that of the whole loss, and the parameters' gradients are summed.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def check(self, batch: int) -> None:
        """Checks that every process takes the same number of images.

        Raises:
            ConfigError: the batch cannot be shared out equally.
        """
        if batch % self.count:
            raise ConfigError(
                f"a batch has {batch} images, but must be a multiple of the {self.count} processes; change --batch-size"
            )

    def share(self, batch: Tensor) -> Tensor:
        """Takes this process' part of the batch's image numbers, (B / count,)."""
        return batch.chunk(self.count)[self.rank]

    def whole(self, knowledge: Knowledge) -> Knowledge:
        """Gathers the knowledge of the whole batch; gradients come back to this process' own samples."""
        return knowledge if self.count == 1 else knowledge.map(lambda tap: _gather(tap, self.rank, self.count))

    def gathered(self, values: Tensor) -> Tensor:
        """Gathers a tensor of the whole batch, without gradient."""
        return values if self.count == 1 else _gather(values, self.rank, self.count)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replaces every gradient by its sum over the processes, in one message for each type of number."""
        self._reduce(parameters, 1.0)

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replaces every gradient by its mean over the processes: each is already that of the whole batch."""
        self._reduce(parameters, 1.0 / self.count)

    def _reduce(self, parameters: Iterable[Tensor], factor: float) -> None:
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
            ours = [gradient for gradient in gradients if gradient.dtype == dtype]
            flat = torch.cat([gradient.flatten() for gradient in ours])
            torch.distributed.all_reduce(flat)
            for gradient, part in zip(ours, flat.split([g.numel() for g in ours]), strict=True):
                gradient.copy_(part.view_as(gradient) * factor)

    def sum(self, value: Tensor) -> Tensor:
        """Sums a detached number over the processes."""
        if self.count > 1:
            value = value.clone()
            torch.distributed.all_reduce(value)
        return value

    def share_first(self, tensors: Iterable[Tensor]) -> None:
        """Copies the first process' tensors to all: equal seeds give equal weights only on equal machines."""
        if self.count > 1:
            with torch.no_grad():
                for tensor in tensors:
                    torch.distributed.broadcast(tensor, 0)

    def agreed(self, value: str) -> str:
        """Sends a text of the first process to all."""
        if self.count == 1:
            return value
        values: list[Any] = [value]
        torch.distributed.broadcast_object_list(values, 0)
        return str(values[0])


ALONE = Ranks()


@contextmanager
def launched(device: str) -> Iterator[tuple[Ranks, str]]:
    """Joins the processes that `torchrun` started, or stays alone; returns them and this process' device.

    gloo connects processes on a CPU, nccl those on GPUs, one GPU each.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, device
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size()), device
    finally:
        torch.distributed.destroy_process_group()


class _Gather(torch.autograd.Function):
    """Concatenates the processes' tensors; the loss above it is the same in all, so each keeps its own gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int, count: int) -> Tensor:
        ctx.rows = slice(rank * len(own), (rank + 1) * len(own))
        own = own.contiguous()
        parts = [torch.empty_like(own) for _ in range(count)]
        torch.distributed.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][ctx.rows], None, None


class _Sum(torch.autograd.Function):
    """Sums the processes' tensors; what the sum does to the loss reaches it through every process' samples."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor]:
        total = gradients[0].contiguous().clone()
        torch.distributed.all_reduce(total)
        return (total,)


def _gather(own: Tensor, rank: int, count: int) -> Tensor:
    gathered: Tensor = _Gather.apply(own, rank, count)
    return gathered


def summed(own: Tensor) -> Tensor:
    """Sums a tensor over all processes, differentiable where all compute one loss."""
    total: Tensor = _Sum.apply(own)
    return total
