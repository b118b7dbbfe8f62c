"""SRRL: Yang et al.: Knowledge Distillation via Softmax Regression Representation Learning (ICLR 2021)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import pointwise
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "srrl",
    "Yang et al.: Knowledge Distillation via Softmax Regression Representation Learning (ICLR 2021)",
    needs_stages=True,
)
class Srrl(MethodLoss):
    """The student's last map, brought to the teacher's channels, must agree with it and pass through its classifier.

    r = ReLU(BN(conv1x1(s))); loss = β·[mean (pool(r) − pool_t)² + mean (head_t(pool(r)) − z_t)²], β = 1, with the
    teacher's classifier frozen. The published CIFAR-100 figures name no term of plain distillation beside it; whether
    there was one is uncertain.

    Args:
        on: `map`, the authors' form for ImageNet; or `pool`, that of SimKD's repository for CIFAR: the same transform
            on the pooled vector.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0, on: Literal["map", "pool"] = "map") -> None:
        self.tap = "pool" if on == "pool" else stages[-1]
        super().__init__(student=[self.tap], teacher=["pool", "logits"])
        self.weight = weight

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        _, theirs = world.networks("srrl")
        self.head = theirs.head
        outputs = teacher["pool"][1]
        self.transform = nn.Sequential(pointwise(student[self.tap][1], outputs), nn.BatchNorm2d(outputs), nn.ReLU())

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        maps = student[self.tap]
        pooled = self.transform(maps if maps.dim() == 4 else maps[:, :, None, None]).mean((2, 3))
        return {
            "features": self.weight * F.mse_loss(pooled, teacher["pool"]),
            "softmax regression": self.weight * F.mse_loss(self.head(pooled), teacher["logits"]),
        }
