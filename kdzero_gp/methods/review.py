"""Knowledge review: Chen et al.: Distilling Knowledge via Knowledge Review (CVPR 2021)."""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

WIDEST = 512
"""Channels at most in which levels are fused."""
PYRAMID = (4, 2, 1)
"""Sizes at which maps are compared beside their own."""


@module_method(
    "review",
    "Chen et al.: Distilling Knowledge via Knowledge Review (CVPR 2021)",
    needs_stages=True,
    warmup_epochs=20,
)
class Review(MethodLoss):
    """From deep to shallow, the student's levels are fused by attention and compared with the teacher's pyramids.

    Levels are the stages and the pooled vector as a 1x1 map, the teacher's stages before their ReLU. The distance of a
    level is the mean of its squared error at its own size and, with half the weight each time, averaged to 4x4, 2x2 and
    1x1 where that is smaller. The weight is the authors' for ResNet-56 to ResNet-20 and rises over 20 epochs; theirs is
    1 for ResNet-110 to ResNet-32, 5 for WRN-40-2 to WRN-16-2, WRN-40-1 and ShuffleNetV1 and for ResNet-32x4 to
    ResNet-8x4 and ShuffleNetV1, 8 for ResNet-32x4 to ShuffleNetV2.
    """

    def __init__(self, stages: Stages, *, weight: float = 0.6) -> None:
        before = [f"pre{number}" for number in range(1, len(stages) + 1)]
        super().__init__(student=[*stages, "pool"], teacher=[*before, "pool"])
        self.weight = weight

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        middle = min(WIDEST, student["pool"][1])
        self.fusions = nn.ModuleDict()
        for own, other in zip(self.student_taps, self.teacher_taps, strict=True):
            self.fusions[own] = Fusion(student[own][1], middle, teacher[other][1], deepest=own == "pool")

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        above: Tensor | None = None
        terms: dict[str, Tensor] = {}
        for own, other in reversed(list(zip(self.student_taps, self.teacher_taps, strict=True))):
            wanted = _map(teacher[other])
            given, above = self.fusions[own](_map(student[own]), above, wanted.shape[2:])
            terms[f"review {own}"] = self.weight * pyramid_distance(given, wanted)
        return terms


class Fusion(nn.Module):
    """Attention-based fusion of a level with the one above it.

    Args:
        inputs, middle, outputs: channels of the student's level, of what is fused, of the teacher's level.
        deepest: there is none above.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, *, deepest: bool) -> None:
        super().__init__()
        enter, leave = nn.Conv2d(inputs, middle, 1, bias=False), nn.Conv2d(middle, outputs, 3, padding=1, bias=False)
        for convolution in (enter, leave):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
        self.enter = nn.Sequential(enter, nn.BatchNorm2d(middle))
        self.leave = nn.Sequential(leave, nn.BatchNorm2d(outputs))
        self.attend = None if deepest else nn.Sequential(nn.Conv2d(2 * middle, 2, 1), nn.Sigmoid())

    def forward(self, level: Tensor, above: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor]:
        """Gives the level in the teacher's channels and at its size, and what the next level is fused with."""
        fused: Tensor = self.enter(level)
        if self.attend is not None and above is not None:
            above = F.interpolate(above, fused.shape[2:], mode="nearest")
            shares = self.attend(torch.cat([fused, above], 1))
            fused = fused * shares[:, :1] + above * shares[:, 1:]
        if fused.shape[2:] != size:
            fused = F.interpolate(fused, size, mode="nearest")
        return self.leave(fused), fused


def pyramid_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Gives the weighted mean of squared errors at a map's own size and at the smaller ones of `PYRAMID`."""
    distance, weights = F.mse_loss(student, teacher), 1.0
    sizes = [size for size in PYRAMID if size < student.shape[2]]
    for halvings, size in zip(count(1), sizes, strict=False):
        ours, theirs = (F.adaptive_avg_pool2d(maps, size) for maps in (student, teacher))
        distance = distance + 0.5**halvings * F.mse_loss(ours, theirs)
        weights += 0.5**halvings
    return distance / weights


def _map(tap: Tensor) -> Tensor:
    return tap if tap.dim() == 4 else tap[:, :, None, None]
