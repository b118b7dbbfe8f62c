"""Critics of class scores, and what Wasserstein critics learn by."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.world import Now

WIDTHS = (128, 256, 128)
"""Of the hidden layers of a critic of scores."""
PENALTY = 10.0
"""Weight of the gradient penalty."""


def score_critic(classes: int) -> nn.Sequential:
    """K – 128 – 256 – 128 – 1 with ReLUs between; the last layer has no bias, which a difference of scores loses."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((classes, *WIDTHS)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 1, bias=False))


def wasserstein_loss(critic: nn.Module, student: Knowledge, teacher: Knowledge, now: Now) -> Tensor:
    """mean D(s) − mean D(t) + 10 · mean (‖∇D(x̂)‖ − 1)² of logits, x̂ between the two by a random share of each."""
    fake, real = student["logits"], teacher["logits"]
    share = torch.rand(
        (len(real), 1), generator=now.generator(real.device, "gradient penalty"), device=real.device, dtype=real.dtype
    )
    between = (share * real + (1 - share) * fake).detach().requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (slopes.square().sum(1) + 1e-12).sqrt().sub(1).square().mean()
    loss: Tensor = critic(fake).mean() - critic(real).mean() + PENALTY * penalty
    return loss
