"""Variational information distillation: Ahn et al.: Variational Information Distillation (CVPR 2019)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

FIRST_VARIANCE = 5.0
"""σ² of every channel at the beginning."""
EPS = 1e-5


@module_method(
    "vid", "Ahn et al.: Variational Information Distillation for Knowledge Transfer (CVPR 2019)", needs_stages=True
)
class Vid(MethodLoss):
    """The likelihood of the teacher's stages under Gaussians whose means the student predicts.

    For each stage ½·mean of (μ − t)²/σ²_c + log σ²_c, with μ three 1x1 convolutions of the student's map and a learned
    variance σ²_c = softplus(a_c) + 1e-5 of each channel; summed over the stages. The value may be negative.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(stages)
        self.weight = weight

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.regressors, self.scales = nn.ModuleDict(), nn.ParameterDict()
        for stage in self.student_taps:
            wanted = teacher[stage][1]
            self.regressors[stage] = nn.Sequential(
                *(nn.Conv2d(student[stage][1], wanted, 1, bias=False), nn.ReLU()),
                *(nn.Conv2d(wanted, wanted, 1, bias=False), nn.ReLU()),
                nn.Conv2d(wanted, wanted, 1, bias=False),
            )
            self.scales[stage] = torch.full((wanted,), math.log(math.expm1(FIRST_VARIANCE - EPS)))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        return {f"vid {stage}": self.weight * self._stage(stage, student, teacher) for stage in self.student_taps}

    def _stage(self, stage: str, student: Knowledge, teacher: Knowledge) -> Tensor:
        s, t = to_common_size(student[stage], teacher[stage])
        mean = self.regressors[stage](s)
        variance = (F.softplus(self.scales[stage]) + EPS)[:, None, None]
        likelihood: Tensor = 0.5 * ((mean - t).square() / variance + variance.log()).mean()
        return likelihood
