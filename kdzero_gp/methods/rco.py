"""Route-constrained optimisation: Jin et al.: Knowledge Distillation via Route Constrained Optimization (ICCV 2019)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import Now


@module_method(
    "rco",
    "Jin et al.: Knowledge Distillation via Route Constrained Optimization (ICCV 2019)",
    ce_weight=0.1,
    home="CIFAR-100 (its own table)",
    exclusive=True,
)
class RouteConstrained(MethodLoss):
    """Plain distillation by the teacher as it was at equal steps of its own training, one after another.

    0.9 · τ² · KL of the logits, τ = 4; anchor j of M teaches during the share (j − 1)/M … j/M of one whole schedule,
    the last is the teacher itself. Four anchors at equal distances are this project's choice; the paper picks them by a
    greedy search as well.
    """

    needs = ("route",)

    def __init__(self, stages: Stages = (), *, weight: float = 0.9, temperature: float = 4.0, anchors: int = 4) -> None:
        super().__init__(["logits"])
        self.weight, self.temperature = weight, temperature
        self.phases = tuple(
            Phase(
                f"anchor {number}",
                share=1 / anchors,
                continues=number > 1,
                anchor=number / anchors if number < anchors else None,
            )
            for number in range(1, anchors + 1)
        )

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        ours, theirs = (F.log_softmax(side["logits"] / self.temperature, 1) for side in (student, teacher))
        divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return {"route": self.weight * self.temperature**2 * divergence}
