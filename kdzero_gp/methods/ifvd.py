"""IFVD: Wang et al.: Intra-class Feature Variation Distillation for Semantic Segmentation (ECCV 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import unit
from kdzero_gp.methods.critics import score_critic, wasserstein_loss
from kdzero_gp.methods.loss import MethodLoss, Shapes, frozen
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "ifvd",
    "Wang et al.: Intra-class Feature Variation Distillation for Semantic Segmentation (ECCV 2020)",
    home="Cityscapes; here its image form",
    exclusive=True,
)
class IntraClassVariation(MethodLoss):
    """How far each sample is from the centre of its class, scores, and a critic: the image form, this project's.

    v = cos(pooled features, mean of those of its class in the batch), gradient through the mean too; loss = 200 · mean
    (v_s − v_t)² + 10 · Σ KL of the logits at τ = 1 / (N·K) − 0.001 · mean D(s), with the critic of `skd`. The authors'
    code divides the divergence by the number of classes as well, so does this. A sample alone in its class has v = 1 on
    both sides. In the published form samples are places and the centres are those of one image.
    """

    needs = ("critic",)

    def __init__(
        self,
        stages: Stages = (),
        *,
        variation: float = 200.0,
        pixel: float = 10.0,
        adversarial: float = 0.001,
    ) -> None:
        super().__init__(["pool", "logits"])
        self.variation, self.pixel, self.adversarial = variation, pixel, adversarial

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.critic = score_critic(student["logits"][1])

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        ours, theirs = (F.log_softmax(side["logits"], 1) for side in (student, teacher))
        variations = [nearness(side["pool"], targets) for side in (student, teacher)]
        with frozen(self._judge()):
            judged = self._judge()(student["logits"]).mean()
        divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True) / ours.shape[1]
        return {
            "variation": self.variation * F.mse_loss(variations[0], variations[1]),
            "pixel": self.pixel * divergence,
            "adversarial": -self.adversarial * judged,
        }

    def critic_loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> Tensor:
        return 0.1 * wasserstein_loss(self._judge(), student, teacher, now)

    def critic_optimiser(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=4e-4, momentum=0.9)

    def _judge(self) -> nn.Module:
        if self.critic is None:
            raise AssertionError("build() makes the critic")
        return self.critic


def nearness(vectors: Tensor, labels: Tensor) -> Tensor:
    """Cosine of every vector (N, D) with the mean of those of its label, (N,)."""
    same = (labels[:, None] == labels).to(vectors.dtype)
    centres = same @ vectors / same.sum(1, keepdim=True)
    return (unit(vectors) * unit(centres)).sum(1)
