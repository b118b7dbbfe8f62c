"""Overhaul of feature distillation: Heo et al.: A Comprehensive Overhaul of Feature Distillation (ICCV 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import pointwise, to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

RARE = 1e-3
"""Chance of a negative value below which the margin is not its mean."""


@module_method(
    "ofd",
    "Heo et al.: A Comprehensive Overhaul of Feature Distillation (ICCV 2019)",
    needs_stages=True,
    home="CIFAR-100 (mdistiller)",
)
class Overhaul(MethodLoss):
    """Maps before their ReLU, the teacher's negative values raised to a margin for each channel.

    t' = max(t, m), s' = BN(conv1x1(s)); (s' − t')² counts where s' > t' or t' > 0, sum / N of each stage, the last with
    weight 1 and each before it with half of the next; all · 1e-3 (the authors' for CIFAR; 1e-4 ImageNet, 1e-5
    segmentation). m is the mean of a negative value of the normal distribution that the channel's batch normalisation
    says, mean β and deviation |γ|; −3·|γ| where such a value has a chance below 0.001. Where a stage ends in a sum,
    that is the normalisation of its last convolution, so m is an approximation, as in the authors' code.

    The teacher is in evaluation mode; in the authors' code it normalises by the batch. Maps of other sizes meet at the
    smaller one. The primitive `margin_relu` takes its margin from the batch instead.
    """

    def __init__(self, stages: Stages, *, weight: float = 0.001) -> None:
        super().__init__([f"pre{stage.removeprefix('stage')}" for stage in stages])
        self.weight = weight

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        _, theirs = world.networks("ofd")
        self.connectors = nn.ModuleDict()
        for tap in self.student_taps:
            channels = teacher[tap][1]
            self.connectors[tap] = nn.Sequential(pointwise(student[tap][1], channels), nn.BatchNorm2d(channels))
            self.register_buffer(f"margin_{tap}", margins(theirs.norm(tap), channels))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        last = len(self.student_taps) - 1
        return {
            f"ofd {tap}": self.weight * 2.0 ** (place - last) * self._partial(tap, student, teacher)
            for place, tap in enumerate(self.student_taps)
        }

    def _partial(self, tap: str, student: Knowledge, teacher: Knowledge) -> Tensor:
        """Gives the squared distances that count, sum / N."""
        s, t = to_common_size(student[tap], teacher[tap])
        maps: Tensor = self.connectors[tap](s)
        wanted = torch.maximum(t, self.get_buffer(f"margin_{tap}")[:, None, None].to(t.dtype))
        counted = (maps > wanted) | (wanted > 0)
        return ((maps - wanted).square() * counted).sum() / len(maps)


def margins(norm: nn.Module, channels: int) -> Tensor:
    """(C,), the mean of what a normalisation's ReLU cuts off in each channel."""
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    one, zero = torch.ones(channels), torch.zeros(channels)  # of a normalisation that learns neither
    deviation = (one if weight is None else weight.detach().cpu()).double().abs()
    mean = (zero if bias is None else bias.detach().cpu()).double()
    ratio = mean / deviation.clamp_min(1e-12)
    negative = torch.special.ndtr(-ratio)
    density = (-0.5 * ratio.square()).exp() / (2 * torch.pi) ** 0.5
    expected = mean - deviation * density / negative.clamp_min(RARE)
    return torch.where(negative > RARE, expected, -3 * deviation).float()
