"""Batch normalisation by the statistics of the whole batch, whichever process holds its samples."""

from __future__ import annotations

import logging
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from kdzero_gp.knowledge import unhalved
from kdzero_gp.loops.ranks import Ranks, summed

_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_log = logging.getLogger(__name__)


class GlobalBatchNorm(_BatchNorm):
    """`nn.SyncBatchNorm` for the CPU, where torch has none; weights and keys stay as they are."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> Self:
        """Makes one with the parameters and running statistics of a plain normalisation."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new.weight, new.bias = norm.weight, norm.bias
        new.running_mean, new.running_var = norm.running_mean, norm.running_var
        new.num_batches_tracked = norm.num_batches_tracked
        new.training = norm.training
        return new

    def forward(self, x: Tensor) -> Tensor:
        """Normalises x (N, C, ...) float, N equal in every process; half precision in float32."""
        if not self.training:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.running_mean is None, 0.0, self.eps
            )
        with torch.autocast(x.device.type, enabled=False):
            return self._normalised(unhalved(x)).to(x.dtype)

    def _normalised(self, x: Tensor) -> Tensor:
        dims = (0, *range(2, x.dim()))
        shape = (1, -1, *(1 for _ in dims[1:]))
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        mean = summed(x.sum(dims)) / count
        centred = x - mean.view(shape)
        variance = summed(centred.square().sum(dims)) / count
        self._follow(mean.detach(), variance.detach() * count / max(1, count - 1))
        result = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is None:
            return result
        return torch.addcmul(self.bias.view(shape), result, self.weight.view(shape))

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Updates the running statistics by torch's rule."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accepts any number of dimensions."""


def shared_statistics(student: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """Replaces a student's batch normalisations, in place, by those over the whole batch; not for one process.

    On a GPU these are torch's own `SyncBatchNorm`.
    """
    if ranks.count == 1:
        return student
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(student)
        return converted
    for parent in list(student.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in _PLAIN:
                setattr(parent, name, GlobalBatchNorm.of(child))  # type: ignore[arg-type]
            elif isinstance(child, _BatchNorm) and not isinstance(child, GlobalBatchNorm):
                _log.warning("`%s` keeps the statistics of each process: it is a %s", name, type(child).__name__)
    return student
