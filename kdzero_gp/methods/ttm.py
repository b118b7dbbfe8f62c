"""Transformed teacher matching: Zheng, Yang: Knowledge Distillation Based on Transformed Teacher Matching (2024)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now


@module_method(
    "ttm",
    "Zheng, Yang: Knowledge Distillation Based on Transformed Teacher Matching (ICLR 2024)",
    exclusive=True,
)
class TransformedTeacher(MethodLoss):
    """weight · mean KL(softmax(t / τ) ‖ softmax(s)): the teacher alone has a temperature.

    Weight 1 and τ = 4 are uncertain; the paper chooses both for each pair.
    """

    def __init__(self, stages: Stages = (), *, weight: float = 1.0, temperature: float = 4.0) -> None:
        super().__init__(["logits"])
        self.weight, self.temperature = weight, temperature

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        return {"ttm": self.weight * transformed_divergence(student, teacher, self.temperature).mean()}


def transformed_divergence(student: Knowledge, teacher: Knowledge, temperature: float) -> Tensor:
    """KL(softmax(t / τ) ‖ softmax(s)) of every sample's scores, (N,)."""
    ours = F.log_softmax(student["logits"], 1)
    theirs = F.log_softmax(teacher["logits"] / temperature, 1)
    return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
