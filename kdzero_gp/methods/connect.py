"""What several methods place between a student's map and a teacher's."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def to_common_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (N, C, H, W) at the smaller resolution of the two, the larger averaged over its windows."""
    size = [min(s, t) for s, t in zip(student.shape[2:], teacher.shape[2:], strict=True)]

    def pooled(maps: Tensor) -> Tensor:
        return maps if list(maps.shape[2:]) == size else F.adaptive_avg_pool2d(maps, size)

    return pooled(student), pooled(teacher)
