"""Flow of solution procedure: Yim et al.: A Gift from Knowledge Distillation (CVPR 2017)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import pointwise, to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.phase import MAIN, Phase
from kdzero_gp.methods.world import Now, World


@module_method("fsp", "Yim et al.: A Gift from Knowledge Distillation (CVPR 2017)", needs_stages=True)
class Fsp(MethodLoss):
    """The flow between each map and the next, in 30 epochs before the schedule; then cross-entropy alone.

    G = X·Yᵀ / (H·W) of the maps of the stem and the first stage, the first and the second, and so on, each two averaged
    to the smaller size; loss = Σ mean (G_s − G_t)². The first phase trains the layers up to the last stage. In
    RepDistiller the weight of the term multiplies a constant 0 in the second phase, and the first phase has none.

    Published for equal channels alone; where they differ the student's map passes a learned 1x1 convolution first.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(["stem", *stages])
        self.weight = weight
        self.phases = (
            Phase("flow", extra_epochs=30, trains=("features", "method"), ce_weight=0.0),
            Phase(MAIN, trains=("student",), distils=False),
        )

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.connectors = nn.ModuleDict()
        for tap in self.student_taps:
            ours, theirs = student[tap][1], teacher[tap][1]
            self.connectors[tap] = nn.Identity() if ours == theirs else pointwise(ours, theirs)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        maps = {tap: self.connectors[tap](student[tap]) for tap in self.student_taps}
        return {
            f"fsp {one} {following}": self.weight
            * F.mse_loss(flow(maps[one], maps[following]), flow(teacher[one], teacher[following]))
            for one, following in pairwise(self.student_taps)
        }


def flow(x: Tensor, y: Tensor) -> Tensor:
    """X·Yᵀ / (H·W) of two maps at their smaller size, (N, C1, C2)."""
    left, right = (maps.flatten(2) for maps in to_common_size(x, y))
    return torch.bmm(left, right.transpose(1, 2)) / left.shape[2]
