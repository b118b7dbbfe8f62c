"""Feature distillation for detectors: Zhang, Ma: Improve Object Detection with Feature-based Knowledge Distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.focus import strong_positions
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

EPS = 1e-12
"""Inside the roots, whose gradient at 0 would be infinite."""


@module_method(
    "fkd",
    "Zhang, Ma: Improve Object Detection with Feature-based Knowledge Distillation (ICLR 2021)",
    needs_stages=True,
    home="COCO",
)
class FeatureDetection(MethodLoss):
    """Attended features, averages over positions and over channels, and non-local relations of the last map.

    With A_s the attention over positions and M = (A_s of the teacher + A_s of the student) / 2 without gradient:
    α·√Σ M·(t − conv1x1(s))² + β·‖pool(t) − Linear(pool(s))‖₂ + β·‖mean_C t − conv3x3(mean_C s)‖₂ +
    γ·‖conv1x1(NL_s(s)) − NL_t(t)‖₂, norms over the whole batch and not squared; α = γ = 7e-5, β = 4e-3. The non-local
    blocks of both networks are trained. The paper multiplies by attention over channels too; the code in use does not.

    The form for images, this project's: the last map as the one level of a pyramid, maps of other sizes meet at the
    smaller one. Weights are those of two-stage detectors with all levels; one-stage ones have 4e-4 and 2e-2, from
    memory. T = 0.5 is that of the code in use, the paper has 0.1 for two-stage detectors; which is right is uncertain.

    Args:
        features, averages, relations: α, β, γ.
        stride: of the pooling of what each position is related to.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        features: float = 7e-5,
        averages: float = 4e-3,
        relations: float = 7e-5,
        temperature: float = 0.5,
        stride: int = 2,
    ) -> None:
        super().__init__([stages[-1]])
        self.tap, self.temperature, self.stride = stages[-1], temperature, stride
        self.features, self.averages, self.relations = features, averages, relations

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        own, channels = student[self.tap][1], teacher[self.tap][1]
        self.adapt_features = nn.Conv2d(own, channels, 1)
        self.adapt_channels = nn.Linear(own, channels)
        self.adapt_positions = nn.Conv2d(1, 1, 3, padding=1)
        self.relate_student, self.relate_teacher = NonLocal(own, self.stride), NonLocal(channels, self.stride)
        self.adapt_relations = nn.Conv2d(own, channels, 1)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = to_common_size(student[self.tap], teacher[self.tap])
        with torch.no_grad():
            mask = (strong_positions(t, self.temperature) + strong_positions(s, self.temperature))[:, None] / 2
        related = self.adapt_relations(self.relate_student(s)) - self.relate_teacher(t)
        return {
            "features": self.features * _norm(mask * (t - self.adapt_features(s)).square()),
            "channels": self.averages * _norm((t.mean((2, 3)) - self.adapt_channels(s.mean((2, 3)))).square()),
            "positions": self.averages
            * _norm((t.mean(1, keepdim=True) - self.adapt_positions(s.mean(1, keepdim=True))).square()),
            "relations": self.relations * _norm(related.square()),
        }


class NonLocal(nn.Module):
    """A map plus what all positions say of each: x + BN(W · (θφᵀ/P)·g), the scale of BN 0 at first.

    θ, φ, g are 1x1 convolutions to half the channels, φ and g max-pooled to P positions.

    Args:
        stride: of that pooling, in both directions; a smaller map is pooled to one position.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        middle = max(1, channels // 2)
        self.stride = stride
        self.theta, self.phi, self.g = (nn.Conv2d(channels, middle, 1) for _ in range(3))
        self.out = nn.Conv2d(middle, channels, 1, bias=False)  # the normalisation does not see a bias
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W), as it is taken."""
        window = [min(self.stride, size) for size in maps.shape[2:]]
        phi, g = (F.max_pool2d(layer(maps), window).flatten(2) for layer in (self.phi, self.g))
        likeness = torch.einsum("ncq,ncp->nqp", self.theta(maps).flatten(2), phi) / phi.shape[2]
        said = torch.einsum("nqp,ncp->ncq", likeness, g).unflatten(2, maps.shape[2:])
        added: Tensor = self.norm(self.out(said))
        return maps + added


def _norm(squares: Tensor) -> Tensor:
    return (squares.sum() + EPS).sqrt()
