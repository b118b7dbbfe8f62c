"""Projector ensemble: Chen et al.: Improved Feature Distillation via Projector Ensemble (NeurIPS 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method("pefd", "Chen et al.: Improved Feature Distillation via Projector Ensemble (NeurIPS 2022)")
class ProjectorEnsemble(MethodLoss):
    """The mean of several linear projections of the student's pooled features points where the teacher's do.

    Loss = 25 · mean (1 − cos(mean of the projections of pool_s, pool_t)), three projectors with initial weights of
    their own. Weight and number are from memory of the paper, and uncertain.
    """

    def __init__(self, stages: Stages = (), *, weight: float = 25.0, projectors: int = 3) -> None:
        super().__init__(["pool"])
        self.weight, self.projectors = weight, projectors

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        inputs, outputs = student["pool"][1], teacher["pool"][1]
        self.ensemble = nn.ModuleList(nn.Linear(inputs, outputs) for _ in range(self.projectors))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        projected = torch.stack([projector(student["pool"]) for projector in self.ensemble]).mean(0)
        return {"pefd": self.weight * (1 - F.cosine_similarity(projected, teacher["pool"], dim=1)).mean()}
