"""Structured distillation: Liu et al.: Structured Knowledge Distillation for Semantic Segmentation (CVPR 2019)."""

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

NODES = 2
"""Along each side of a map."""


@module_method(
    "skd",
    "Liu et al.: Structured Knowledge Distillation for Semantic Segmentation (CVPR 2019)",
    needs_stages=True,
    home="Cityscapes; here its image form",
    exclusive=True,
)
class StructuredDistillation(MethodLoss):
    """Scores, similarities of places, and a critic of the scores: the image form, this project's.

    10 · KL of the logits at τ = 1 (the mean over places there; the authors' code divides by H·W alone, not by the
    batch); similarities: the last map max-pooled to 2x2 nodes, cosines a between all nodes of an image, Σ (a_s − a_t)²
    / nodes² / N; −0.1 · mean D(s) of a Wasserstein critic with gradient penalty, whose loss counts 0.1 too and which
    learns by SGD of rate 4e-4, momentum 0.9. The critic is a perceptron of the logits in place of one of score maps; a
    smaller map has as many nodes as places.
    """

    needs = ("critic",)

    def __init__(self, stages: Stages, *, pixel: float = 10.0, pairs: float = 1.0, adversarial: float = 0.1) -> None:
        self.tap = stages[-1]
        super().__init__([self.tap, "logits"])
        self.pixel, self.pairs, self.adversarial = pixel, pairs, adversarial

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.size = tuple(min(NODES, s, t) for s, t in zip(student[self.tap][2:], teacher[self.tap][2:], strict=True))
        self.critic = score_critic(student["logits"][1])

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        ours, theirs = (F.log_softmax(side["logits"], 1) for side in (student, teacher))
        similarities = [node_cosines(side[self.tap], self.size) for side in (student, teacher)]
        with frozen(self._judge()):
            judged = self._judge()(student["logits"]).mean()
        return {
            "pixel": self.pixel * F.kl_div(ours, theirs, reduction="batchmean", log_target=True),
            "pairs": self.pairs * F.mse_loss(similarities[0], similarities[1]),
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


def node_cosines(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Cosines between all nodes of each image, (N, C, H, W) to (N, P, P), nodes the largest values of their windows."""
    nodes = unit(F.adaptive_max_pool2d(maps, (size[0], size[1])).flatten(2))
    return torch.bmm(nodes.transpose(1, 2), nodes)
