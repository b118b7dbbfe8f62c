"""KDSVD: Lee, Kim, Song: Self-supervised Knowledge Distillation Using Singular Value Decomposition (ECCV 2018)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import pointwise
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.singular_vectors import channel_vectors
from kdzero_gp.methods.world import Now, World

COMPARED = 4
"""Of the student's singular vectors, those of which the most similar is taken."""
SPREAD = 8.0


@module_method(
    "svd",
    "Lee, Kim, Song: Self-supervised Knowledge Distillation Using Singular Value Decomposition (ECCV 2018)",
    needs_stages=True,
)
class KdSvd(MethodLoss):
    """How the first singular vector of a stage's map goes with that of the stage before.

    Of a map as a matrix H·W x C, v_t is the teacher's first right singular vector, which has no places left, and v_s
    that one of the student's first four that is most similar to it, with its sign. R = exp(−(v_i[a] − v_(i−1)[b])² / 8)
    for all channels a, b; loss = Σ over stages Σ (R_s − R_t)² / N. The sign of v_t is free and the loss depends on it:
    its entry of largest magnitude is positive. Where channels differ the student's map passes a learned 1x1 convolution
    first. Another implementation reshapes the map to C·H x W: another method. The primitive `svd` is the singular
    vector of the places.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(stages)
        self.weight = weight
        self.pairs = tuple(pairwise(stages)) or ((stages[0], stages[0]),)

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.connectors = nn.ModuleDict()
        for tap in self.student_taps:
            ours, theirs = student[tap][1], teacher[tap][1]
            self.connectors[tap] = nn.Identity() if ours == theirs else pointwise(ours, theirs)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        vectors = {tap: self._vectors(tap, student, teacher) for tap in self.student_taps}
        terms: dict[str, Tensor] = {}
        for before, stage in self.pairs:
            ours, theirs = (
                torch.exp(-(own[:, :, None] - other[:, None]).square() / SPREAD)
                for own, other in zip(vectors[stage], vectors[before], strict=True)
            )
            terms[f"svd {stage}"] = self.weight * (ours - theirs).square().sum() / len(ours)
        return terms

    def _vectors(self, tap: str, student: Knowledge, teacher: Knowledge) -> tuple[Tensor, Tensor]:
        """The student's aligned and the teacher's first vector, (N, C) each."""
        wanted = channel_vectors(teacher[tap], 1)[:, :, 0]
        largest = wanted.gather(1, wanted.abs().argmax(1, keepdim=True))
        wanted = wanted * largest.sign()
        ours = channel_vectors(self.connectors[tap](student[tap]), COMPARED)
        cosines = torch.einsum("nck,nc->nk", ours.detach(), wanted)
        chosen = cosines.abs().argmax(1, keepdim=True)
        nearest = ours.gather(2, chosen[:, None].expand(-1, ours.shape[1], -1))[:, :, 0]
        return nearest * cosines.gather(1, chosen).sign(), wanted
