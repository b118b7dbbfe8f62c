"""Activation boundaries: Heo et al.: Knowledge Transfer via Distillation of Activation Boundaries (AAAI 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import Connector
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.phase import MAIN, Phase
from kdzero_gp.methods.world import Now, World

BOUNDARIES = "boundaries"


@module_method(
    "ab",
    "Heo et al.: Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden Neurons (AAAI 2019)",
    needs_stages=True,
)
class ActivationBoundaries(MethodLoss):
    """Which neurons fire, stage by stage, in 30 epochs before the schedule; then cross-entropy alone.

    Of maps before their ReLU, the student's through a connector where shapes differ: (s + m)² where s > −m and t ≤ 0,
    (s − m)² where s ≤ m and t > 0, else 0; m = 1. Loss = 3/1000 · Σ over stages i < n of 2^(i − n + 1) · sum / N, so
    the last stage weighs 1. In the first phase it trains the layers up to the last stage and the connectors; the
    published weight of its term in the second phase multiplies a constant 0.
    """

    def __init__(self, stages: Stages, *, weight: float = 0.003, margin: float = 1.0) -> None:
        super().__init__([f"pre{number}" for number in range(1, len(stages) + 1)])
        self.weight, self.margin = weight, margin
        self.phases = (
            Phase(BOUNDARIES, extra_epochs=30, trains=("features", "method"), ce_weight=0.0),
            Phase(MAIN, trains=("student",), distils=False),
        )

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.connectors = nn.ModuleDict()
        for tap in self.student_taps:
            same = student[tap][1:] == teacher[tap][1:]
            self.connectors[tap] = nn.Identity() if same else Connector(student[tap], teacher[tap])

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        last = len(self.student_taps) - 1
        return {
            f"ab {tap}": self.weight * 2.0 ** (place - last) * self._crossed(tap, student, teacher)
            for place, tap in enumerate(self.student_taps)
        }

    def _crossed(self, tap: str, student: Knowledge, teacher: Knowledge) -> Tensor:
        """Gives the squared distances to the right side of the boundary, sum / N."""
        maps, silent = self.connectors[tap](student[tap]), teacher[tap] <= 0
        above = torch.relu(maps + self.margin)  # how far a silent neuron is from -m
        below = torch.relu(self.margin - maps)  # how far a firing one is from m
        return torch.where(silent, above, below).square().sum() / len(maps)
