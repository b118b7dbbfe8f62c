"""What several methods place between a student's map and a teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def to_common_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (N, C, H, W) at the smaller resolution of the two, the larger averaged over its windows."""
    height, width = (min(s, t) for s, t in zip(student.shape[2:], teacher.shape[2:], strict=True))

    def pooled(maps: Tensor) -> Tensor:
        return maps if maps.shape[2:] == (height, width) else F.adaptive_avg_pool2d(maps, (height, width))

    return pooled(student), pooled(teacher)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Gives a 1x1 convolution without bias, its weights drawn from N(0, √(2 / outputs))."""
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.normal_(convolution.weight, std=math.sqrt(2 / outputs))
    return convolution


class Connector(nn.Sequential):
    """From a student's map to the shape of a teacher's, linear but for its batch normalisation.

    A 1x1 convolution at equal size, 3x3 of stride 2 from twice the teacher's size, transposed 4x4 of stride 2 from half
    of it, each followed by BN. At any other ratio the map is averaged to the teacher's size first.

    Args:
        student, teacher: shapes (N, C, H, W).
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        inputs, outputs, own, other = student[1], teacher[1], tuple(student[2:]), tuple(teacher[2:])
        layers: list[nn.Module] = []
        if own == tuple(2 * size for size in other):
            layers.append(nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False))
        elif tuple(2 * size for size in own) == other:
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=False))
        else:
            layers += [] if own == other else [nn.AdaptiveAvgPool2d(other)]
            layers.append(nn.Conv2d(inputs, outputs, 1, bias=False))
        super().__init__(*layers, nn.BatchNorm2d(outputs))


def unit(vectors: Tensor) -> Tensor:
    """(N, D) divided by their norms, those near zero by 1e-12."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / lengths.clamp_min(1e-12)
