"""Fine-grained imitation: Wang et al.: Distilling Object Detectors with Fine-grained Feature Imitation (CVPR 2019)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

FIRST_DEVIATION = 1e-4
"""Of the adaptation layer's weights at the beginning."""


@module_method(
    "wang",
    "Wang, Yuan, Zhang, Feng: Distilling Object Detectors with Fine-grained Feature Imitation (CVPR 2019)",
    needs_stages=True,
    home="COCO, VOC",
)
class FineGrained(MethodLoss):
    """The student's last map imitates the teacher's where there is an object.

    0.01 · Σ I·(a(s) − t)² / (2·Σ I), a = ReLU(conv3x3), I the mask of positions; channels are summed. `norm="l1"` has
    max(|a(s) − t| − m, 0) in place of the square, the margin m = 0 uncertain. Maps of other sizes meet at the smaller.

    The form for images, this project's: I is 1 at the half of the positions where the teacher's mean |t| over channels
    is largest, else 0. Published is the number of anchors near each ground-truth box, for detectors, with the term off
    in the first 400 steps. That the layer begins with a deviation of 1e-4 is from the authors' code.
    """

    def __init__(
        self, stages: Stages, *, weight: float = 0.01, norm: Literal["l2", "l1"] = "l2", margin: float = 0.0
    ) -> None:
        super().__init__([stages[-1]])
        self.tap, self.weight, self.norm, self.margin = stages[-1], weight, norm, margin

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        convolution = nn.Conv2d(student[self.tap][1], teacher[self.tap][1], 3, padding=1)
        nn.init.normal_(convolution.weight, std=FIRST_DEVIATION)
        self.adapt = nn.Sequential(convolution, nn.ReLU())

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = to_common_size(student[self.tap], teacher[self.tap])
        difference, mask = self.adapt(s) - t, strongest_half(t)
        errors = difference.square() if self.norm == "l2" else (difference.abs() - self.margin).clamp_min(0)
        return {"wang": self.weight * (mask[:, None] * errors).sum() / (2 * mask.sum())}


@torch.no_grad()
def strongest_half(maps: Tensor) -> Tensor:
    """(N, H, W), 1 at half of the positions of each map (N, C, H, W), at one at least, else 0."""
    strength = maps.abs().mean(1).flatten(1)
    chosen = strength.topk(max(1, strength.shape[1] // 2), dim=1).indices
    mask: Tensor = torch.zeros_like(strength).scatter_(1, chosen, 1.0).unflatten(1, maps.shape[2:])
    return mask
