"""Weighted transformed teacher matching: Zheng, Yang: Knowledge Distillation Based on Transformed Teacher Matching."""

from __future__ import annotations

from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.ttm import transformed_divergence
from kdzero_gp.methods.world import Now


@module_method(
    "wttm",
    "Zheng, Yang: Knowledge Distillation Based on Transformed Teacher Matching (ICLR 2024), weighted",
    exclusive=True,
)
class WeightedTransformedTeacher(MethodLoss):
    """weight · mean U·KL(softmax(t / τ) ‖ softmax(s)), U = Σ_k p_k^(1/τ) of the teacher's softmax at temperature 1.

    A sample counts the more, the smoother the teacher's answer; U is not rescaled. Weight 1 and τ = 4 are uncertain;
    the paper chooses both for each pair.
    """

    def __init__(self, stages: Stages = (), *, weight: float = 1.0, temperature: float = 4.0) -> None:
        super().__init__(["logits"])
        self.weight, self.temperature = weight, temperature

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        smoothness = teacher["logits"].softmax(1).pow(1 / self.temperature).sum(1)
        divergence = transformed_divergence(student, teacher, self.temperature)
        return {"wttm": self.weight * (smoothness * divergence).mean()}
