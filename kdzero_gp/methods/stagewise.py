"""Stages that learn the teacher's one after another, each in a phase of its own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import pointwise, to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import Now, World

CLASSIFIER = "classifier"


class Stagewise(MethodLoss):
    """In the phase of a stage, weight · mean (s − t)² of it alone; in the last phase, the classifier by the labels.

    Where channels differ a learned 1x1 convolution, trained in its stage's phase, brings the student's map to the
    teacher's; where sizes differ the larger map is averaged.

    Args:
        share: of the schedule for each stage; the classifier has the rest.
        freezes: whether the stages before are held still in a stage's phase.
    """

    def __init__(self, stages: Stages, weight: float, *, share: float, freezes: bool) -> None:
        super().__init__(stages)
        self.weight = weight
        phases = []
        for number, stage in enumerate(stages, 1):
            trained = (stage,) if freezes else tuple(stages[:number])
            phases.append(Phase(stage, share=share, trains=(*trained, f"connect_{stage}"), ce_weight=0.0))
        rest = 1 - share * len(stages)
        self.phases = (*phases, Phase(CLASSIFIER, share=rest, trains=("head",), distils=False))

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        for stage in self.student_taps:
            ours, theirs = student[stage][1], teacher[stage][1]
            setattr(self, f"connect_{stage}", nn.Identity() if ours == theirs else pointwise(ours, theirs))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        stage = now.phase if now.phase in self.student_taps else self.student_taps[-1]
        s, t = to_common_size(getattr(self, f"connect_{stage}")(student[stage]), teacher[stage])
        return {f"stage {stage}": self.weight * F.mse_loss(s, t)}
