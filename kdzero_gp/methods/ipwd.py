"""Inverse propensity weights: Niu et al.: Respecting Transfer Gap in Knowledge Distillation (NeurIPS 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

EPS = 1e-7


@module_method(
    "ipwd",
    "Niu, Chen, Zhou, Zhang: Respecting Transfer Gap in Knowledge Distillation (NeurIPS 2022)",
    ce_weight=0.1,
    home="CIFAR-100 (WSLD)",
    exclusive=True,
)
class InversePropensity(MethodLoss):
    """Samples count more for distillation where the teacher's scores help the student more than labels do.

    A second head on the pooled features learns the labels alone. With both heads' scores standardised over the classes
    and H their cross-entropies with the label, w = 1 + H_second / H_student, divided by its batch mean; loss = 0.9 ·
    mean of w · τ²·KL, τ = 4, and the second head's own cross-entropy.

    No official code was published. Uncertain: that the second head sends no gradient to the features, that the weights
    are divided by their mean, and that 0.1 of cross-entropy and 0.9 of distillation are this table's.
    """

    def __init__(self, stages: Stages = (), *, weight: float = 0.9, temperature: float = 4.0) -> None:
        super().__init__(student=["pool", "logits"], teacher=["logits"])
        self.weight, self.temperature = weight, temperature

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.second = nn.Linear(student["pool"][1], student["logits"][1])

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        labelled = self.second(student["pool"].detach())
        ours, theirs = (F.log_softmax(side["logits"] / self.temperature, 1) for side in (student, teacher))
        divergences = self.temperature**2 * (theirs.exp() * (theirs - ours)).sum(1)
        return {
            "weighted kd": self.weight * (self._weights(student["logits"], labelled, targets) * divergences).mean(),
            "second head": F.cross_entropy(labelled, targets),
        }

    @torch.no_grad()
    def _weights(self, distilled: Tensor, labelled: Tensor, targets: Tensor) -> Tensor:
        """(N,), 1 on average."""
        entropies = [
            F.cross_entropy(standardised(scores), targets, reduction="none") for scores in (labelled, distilled)
        ]
        weights = 1 + entropies[0] / entropies[1].clamp_min(EPS)
        return weights / weights.mean()


def standardised(scores: Tensor) -> Tensor:
    """(N, K) with mean 0 and deviation 1 over the classes; constant scores become 0."""
    centred = scores - scores.mean(1, keepdim=True)
    return centred / centred.square().mean(1, keepdim=True).sqrt().clamp_min(EPS)
