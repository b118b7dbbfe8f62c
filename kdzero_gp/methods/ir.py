"""Internal representations: Aguilar et al.: Knowledge Distillation from Internal Representations (AAAI 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.token_relations import map_tokens, relations, rows_apart
from kdzero_gp.methods.world import Now, World

EVERYTHING = "everything"


@module_method(
    "ir",
    "Aguilar et al.: Knowledge Distillation from Internal Representations (AAAI 2020)",
    needs_stages=True,
    home="GLUE; here its map form",
    exclusive=True,
)
class InternalRepresentations(MethodLoss):
    """One stage after another joins, from below; at last plain distillation and the labels: the order "stacked".

    Of a stage: KL of the rows of its self-attention, softmax(X·Xᵀ / √C) of its places averaged to at most 8x8, and
    1 − cos of its pooled vectors, the student's through a learned linear map where widths differ. That is this
    project's form for maps; the paper has attention matrices and the vector of the first token. J stages have J + 1
    phases of equal length, each with a schedule of its own; the last adds τ² · KL of the logits, τ = 4, and the
    cross-entropy. Weights 1 are uncertain, and that the scores wait for the last phase.
    """

    def __init__(
        self, stages: Stages, *, attention: float = 1.0, cosine: float = 1.0, kd: float = 1.0, temperature: float = 4.0
    ) -> None:
        super().__init__([*stages, "logits"])
        self.stages = tuple(stages)
        self.attention, self.cosine, self.kd, self.temperature = attention, cosine, kd, temperature
        share = 1 / (len(self.stages) + 1)
        joining = [Phase(stage, share=share, ce_weight=0.0) for stage in self.stages]
        self.phases = (*joining, Phase(EVERYTHING, share=share))

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.projections = nn.ModuleDict()
        for stage in self.stages:
            ours, theirs = student[stage][1], teacher[stage][1]
            self.projections[stage] = nn.Identity() if ours == theirs else nn.Linear(ours, theirs, bias=False)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        joined = self.stages.index(now.phase) + 1 if now.phase in self.stages else len(self.stages)
        terms: dict[str, Tensor] = {}
        for stage in self.stages[:joined]:
            attended = [relations(tokens, tokens) for tokens in map_tokens(student[stage], teacher[stage])]
            projected = self.projections[stage](student[stage].mean((2, 3)))
            cosines = torch.cosine_similarity(projected, teacher[stage].mean((2, 3)), dim=1)
            terms[f"attention {stage}"] = self.attention * rows_apart(*attended)
            terms[f"cosine {stage}"] = self.cosine * (1 - cosines).mean()
        if now.phase not in self.stages:
            ours, theirs = (F.log_softmax(side["logits"] / self.temperature, 1) for side in (student, teacher))
            terms["logits"] = self.kd * self.temperature**2 * rows_apart(ours, theirs)
        return terms
