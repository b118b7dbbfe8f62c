"""Knowledge projection: Zhang, Ning, He: Knowledge Projection for Effective Design of Thinner and Faster Networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size, unit
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

PARTS = 10
"""Of the training, after each of which a pair of stages is dropped."""


@module_method(
    "kp",
    "Zhang, Ning, He: Knowledge Projection for Effective Design of Thinner and Faster Deep Neural Networks (2017)",
    needs_stages=True,
    home="no published figure under this recipe",
)
class KnowledgeProjection(MethodLoss):
    """Projections of both maps must agree; the stages compete until one pair is left.

    mean |ReLU(P_s·s) − ReLU(P_t·t)| of maps averaged to the smaller size, P_s a learned 1x1 convolution that begins as
    the identity, P_t one from the teacher's channels to the student's. Its rows are scaled to norm 1, so that neither
    training nor weight decay shrinks the target to nothing. The weight falls linearly from 1 to 0 over the training.
    After each tenth of it the pair whose mean loss over that tenth was highest is dropped, the cross-entropy being the
    same for all, while more than one is left.

    No code was published. Uncertain: the linear fall, where the ReLU stands, and that a tenth is the paper's step.
    """

    left: Tensor
    sums: Tensor
    part: Tensor

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(stages)
        self.weight = weight

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.project_student, self.project_teacher = nn.ModuleDict(), nn.ModuleDict()
        for stage in self.student_taps:
            channels = student[stage][1]
            own = nn.Conv2d(channels, channels, 1, bias=False)
            with torch.no_grad():
                own.weight.copy_(torch.eye(channels)[:, :, None, None])
            self.project_student[stage] = own
            self.project_teacher[stage] = nn.Conv2d(teacher[stage][1], channels, 1, bias=False)
        self.register_buffer("left", torch.ones(len(self.student_taps)))  # 1 for each pair that is in, else 0
        self.register_buffer("sums", torch.zeros(len(self.student_taps)))  # of losses in this tenth
        self.register_buffer("part", torch.zeros((), dtype=torch.int64))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        self._prune(int(now.share * PARTS + 1e-9))
        gaps = torch.stack([self._gap(stage, student, teacher) for stage in self.student_taps])
        counted = gaps * self.left.clone()
        with torch.no_grad():
            self.sums.add_(gaps)
        falling = self.weight * (1 - now.share)
        return {f"kp {stage}": falling * gap for stage, gap in zip(self.student_taps, counted, strict=True)}

    def _gap(self, stage: str, student: Knowledge, teacher: Knowledge) -> Tensor:
        s, t = to_common_size(student[stage], teacher[stage])
        rows = unit(self.project_teacher[stage].get_parameter("weight").flatten(1))[:, :, None, None]
        projected: Tensor = self.project_student[stage](s)
        return (projected.relu() - F.conv2d(t, rows).relu()).abs().mean()

    @torch.no_grad()
    def _prune(self, part: int) -> None:
        """Drops the worst pair if a new part of the training begins here. Nothing of it waits for a device."""
        begins = self.part != part
        drops = begins & (self.left.sum() > 1)
        losses = torch.where(self.left > 0, self.sums, -torch.ones_like(self.sums))
        worst = F.one_hot(losses.argmax(), len(losses)).to(self.left.dtype)
        self.left.sub_(worst * drops)
        self.sums.mul_(~begins)
        self.part.fill_(part)
