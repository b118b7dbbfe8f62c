"""Jacobian matching: Srinivas, Fleuret: Knowledge Transfer with Jacobian Matching (ICML 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import unit
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now


@module_method(
    "jacobian",
    "Srinivas, Fleuret: Knowledge Transfer with Jacobian Matching (ICML 2018)",
    home="CIFAR (its own table)",
    exclusive=True,
)
class Jacobian(MethodLoss):
    """Student and teacher must answer a change of the image alike: gradients of the label's score to the pixels.

    g = ∂z_y / ∂image, flattened and divided by its norm; loss = 20 · mean (g_s − g_t)² over samples and pixels, as a
    public collection has it for CIFAR. It costs two backward passes more. In training mode batch normalisation couples
    the samples, so the gradient of the sum of scores has cross terms, here as there.
    """

    needs = ("live teacher",)

    def __init__(self, stages: Stages = (), *, weight: float = 20.0) -> None:
        super().__init__(["logits"])
        self.weight = weight

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        def slope(logits: Tensor, *, trained: bool) -> Tensor:
            scores = logits.gather(1, targets[:, None]).sum()
            (found,) = torch.autograd.grad(scores, now.images, create_graph=trained, retain_graph=True)
            return unit(found.flatten(1))

        ours, theirs = slope(student["logits"], trained=True), slope(teacher["logits"], trained=False)
        return {"jacobian": self.weight * (ours - theirs).square().mean()}
