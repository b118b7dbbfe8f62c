"""MEAL: Shen, He, Xue: MEAL: Multi-Model Ensemble via Adversarial Learning (AAAI 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

SIMILARITIES = (0.1, 0.05, 0.01, 0.001)
"""Weights of the distances of the stages, from the last to the first; any before have the smallest."""


@module_method(
    "meal",
    "Shen, He, Xue: MEAL: Multi-Model Ensemble via Adversarial Learning (AAAI 2019)",
    needs_stages=True,
    home="CIFAR (its own tables)",
    exclusive=True,
)
class Meal(MethodLoss):
    """Stages and logits as distributions by cross-entropy, and a discriminator of each that the student deceives.

    Every tap of both networks is averaged to a common shape and flattened to x of length d. Similarity: γ · H(softmax
    t, softmax s), γ = 1 for the logits and 0.1, 0.05, 0.01, 0.001 for the stages from the last to the first.
    Adversary, weight 1 each: d → d/2 → d/4 → 2 with ReLUs between, binary cross-entropy with (1, 0) for the student and
    (0, 1) for the teacher. It learns with the student, in its optimiser; gradient reversal makes the student raise what
    it lowers. Published for it is a learning rate of 1e-3.

    Published lengths are 10000, 5000, 1000 and 500; any common one is allowed, and here a stage has `length` at most,
    this project's choice. The paper draws one of several teachers for each batch and takes no labels; there is one
    teacher here, beside cross-entropy with weight 1. In the authors' code a ReLU stands before a discriminator's last
    scores and their discriminators are in no parameter list; neither is so here.
    """

    def __init__(
        self, stages: Stages, *, similarity: float = 1.0, adversarial: float = 1.0, length: int = 1024
    ) -> None:
        super().__init__([*stages, "logits"])
        self.similarity, self.adversarial, self.length = similarity, adversarial, length
        rising = [SIMILARITIES[min(place, len(SIMILARITIES) - 1)] for place in range(len(stages))]
        self.gammas = dict(zip(self.student_taps, [*reversed(rising), 1.0], strict=True))

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.shapes = {
            tap: (student[tap][1], 1, 1)
            if tap == "logits"
            else common_shape(student[tap][1:], teacher[tap][1:], self.length)
            for tap in self.student_taps
        }
        self.discriminators = nn.ModuleDict({tap: discriminator(math.prod(s)) for tap, s in self.shapes.items()})

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for tap, shape in self.shapes.items():
            s, t = (flattened(side[tap], shape) for side in (student, teacher))
            likeness = -(t.softmax(1) * s.log_softmax(1)).sum(1).mean()
            terms[f"similarity {tap}"] = self.similarity * self.gammas[tap] * likeness
            terms[f"adversary {tap}"] = self.adversarial * self._told_apart(tap, s, t)
        return terms

    def _told_apart(self, tap: str, s: Tensor, t: Tensor) -> Tensor:
        """Gives what the discriminator lowers, with the student's gradient reversed."""
        judged = self.discriminators[tap](torch.cat([reversed_gradient(s), t]))
        student = torch.arange(len(judged), device=judged.device) < len(s)
        labels = torch.stack([student, ~student], 1).to(judged.dtype)
        return F.binary_cross_entropy_with_logits(judged, labels)


def discriminator(length: int) -> nn.Sequential:
    """Three linear layers, d → d/2 → d/4 → 2, with ReLUs between them."""
    widths = (length, max(1, length // 2), max(1, length // 4), 2)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def common_shape(student: Sequence[int], teacher: Sequence[int], length: int) -> tuple[int, int, int]:
    """Gives the smaller of two shapes (C, H, W) in each dimension, with as few positions and channels as `length`
    allows.
    """
    channels, height, width = (min(s, t) for s, t in zip(student, teacher, strict=True))
    channels = min(channels, length)
    side = max(1, math.isqrt(length // channels))
    return channels, min(height, side), min(width, side)


def flattened(tap: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Gives a map (N, C, H, W) or vector (N, D) averaged to a shape, as (N, d)."""
    maps = tap if tap.dim() == 4 else tap[:, :, None, None]
    if tuple(maps.shape[1:]) != shape:
        maps = F.adaptive_avg_pool3d(maps[:, None], shape)[:, 0]
    return maps.flatten(1)


def reversed_gradient(x: Tensor) -> Tensor:
    """Gives the same values with the gradient times −1."""
    return 2 * x.detach() - x
