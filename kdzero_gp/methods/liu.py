"""Knowledge flow: Liu, Peng, Schwing: Knowledge Flow: Improve Upon Your Teachers (ICLR 2019)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import unit
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "liu",
    "Liu, Peng, Schwing: Knowledge Flow: Improve Upon Your Teachers (ICLR 2019)",
    needs_stages=True,
    home="no published figure under this recipe",
)
class KnowledgeFlow(MethodLoss):
    """Transform matrices on both sides of each stage, whose outputs agree as distributions.

    Σ over stages of τ² · KL(softmax(Q_t·t/τ) ‖ softmax(Q_s·s/τ)), τ = 4, s and t averaged over their positions, Q_s and
    Q_t learned matrices to the smaller number of channels. The rows of Q_t are scaled to norm 1, so that it does not
    shrink the target to a uniform one.

    That is this project's reduced form. In the published one the teacher's transformed maps are added to the student's
    own, stage by stage, with learned shares that a growing penalty brings back to 0; no code of it was published.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0, temperature: float = 4.0) -> None:
        super().__init__(stages)
        self.weight, self.temperature = weight, temperature

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.transform_student, self.transform_teacher = nn.ModuleDict(), nn.ModuleDict()
        for stage in self.student_taps:
            own, other = student[stage][1], teacher[stage][1]
            self.transform_student[stage] = nn.Linear(own, min(own, other), bias=False)
            self.transform_teacher[stage] = nn.Linear(other, min(own, other), bias=False)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        return {f"flow {stage}": self.weight * self._stage(stage, student, teacher) for stage in self.student_taps}

    def _stage(self, stage: str, student: Knowledge, teacher: Knowledge) -> Tensor:
        s, t = (side[stage].mean((2, 3)) for side in (student, teacher))
        given = F.linear(t, unit(self.transform_teacher[stage].get_parameter("weight")))
        ours, theirs = (F.log_softmax(x / self.temperature, 1) for x in (self.transform_student[stage](s), given))
        return self.temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
