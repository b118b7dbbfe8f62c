"""Correlation congruence: Peng et al.: Correlation Congruence for Knowledge Distillation (ICCV 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method("cc", "Peng et al.: Correlation Congruence for Knowledge Distillation (ICCV 2019)")
class CorrelationCongruence(MethodLoss):
    """Products of neighbouring samples' differences between learned embeddings of the pooled features.

    δ = |W_s·s − W_t·t|, both maps trained; loss = weight · mean over i < N of Σ_d δ_i,d · δ_i+1,d.
    That is the authors' code as RepDistiller has it, by which its tables were made; the paper's kernel form is another
    method. The order of the batch matters, and both embeddings at zero would solve it.

    Args:
        width: of the embeddings.
    """

    def __init__(self, stages: Stages = (), *, weight: float = 0.02, width: int = 128) -> None:
        super().__init__(["pool"])
        self.weight, self.width = weight, width

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.embed_student = nn.Linear(student["pool"][1], self.width)
        self.embed_teacher = nn.Linear(teacher["pool"][1], self.width)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        difference = (self.embed_student(student["pool"]) - self.embed_teacher(teacher["pool"])).abs()
        return {"cc": self.weight * (difference[:-1] * difference[1:]).sum(1).mean()}
