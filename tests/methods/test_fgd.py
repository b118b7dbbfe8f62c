"""Focal and global distillation against its formula in plain loops."""

from typing import Any

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.fgd import FocalGlobal, GlobalContext
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared, random

ZERO = torch.zeros((), dtype=torch.float64)


def attention(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of one map (C, H, W): over its positions, and over its channels."""
    C, H, W = x.shape
    places = torch.stack([x[:, i, j].abs().sum() / C / 0.5 for i in range(H) for j in range(W)]).exp()
    channels = torch.stack([x[c].abs().sum() / (H * W) / 0.5 for c in range(C)]).exp()
    return H * W * (places / places.sum()).view(H, W), C * channels / channels.sum()


def context(x: Tensor, block: Any) -> Tensor:
    """The block's output for one map (C, H, W)."""
    first, norm, _, last = block.transform
    positions = x.flatten(1).T
    shares = torch.stack([(block.query.weight[0, :, 0, 0] @ position).exp() for position in positions])
    average = sum((a * position for a, position in zip(shares / shares.sum(), positions, strict=True)), ZERO)
    hidden = first.weight[:, :, 0, 0] @ average + first.bias
    mean = hidden.sum() / len(hidden)
    hidden = (hidden - mean) / (((hidden - mean) ** 2).sum() / len(hidden) + 1e-5).sqrt()
    hidden = (hidden * norm.weight.flatten() + norm.bias.flatten()).clamp(min=0)
    added: Tensor = last.weight[:, :, 0, 0] @ hidden + last.bias
    return x + added[:, None, None]


def by_hand(loss: FocalGlobal, s: Knowledge, t: Knowledge) -> Tensor:
    total = ZERO
    align: Any = loss.align
    for own, other in zip(s["stage3"], t["stage3"], strict=True):
        maps = torch.einsum("oi,ihw->ohw", align.weight[:, :, 0, 0], own) + align.bias[:, None, None]
        (ours, our_channels), (theirs, their_channels) = attention(maps), attention(other)
        for c in range(7):
            total = total + 5e-4 * (our_channels[c] - their_channels[c]).abs() / 4
            for i in range(2):
                for j in range(2):
                    focus = theirs[i, j] * their_channels[c] / (2 * 2)  # M = 1 / (H·W)
                    total = total + 1e-3 * focus * (maps[c, i, j] - other[c, i, j]) ** 2 / 4
        for i in range(2):
            for j in range(2):
                total = total + 5e-4 * (ours[i, j] - theirs[i, j]).abs() / 4
        apart = context(maps, loss.context_student) - context(other, loss.context_teacher)
        total = total + 5e-6 * (apart**2).sum() / 4
    return total


def test_it_is_focal_attention_and_global_terms() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("fgd", student, teacher)
    assert isinstance(loss, FocalGlobal)
    with torch.no_grad():  # else the contexts add nothing yet
        for place, parameter in enumerate(loss.parameters()):
            parameter.copy_(random(*parameter.shape, seed=100 + place))
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)
    assert set(loss.terms()) == {"focal", "attention", "global"}


def test_equal_maps_cost_nothing_at_first() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("fgd", both, both)
    assert isinstance(loss, FocalGlobal)
    assert not list(loss.align.parameters())
    value = loss(both, both.detach(), TARGETS)
    assert float(value.detach()) == 0
    assert not bool(gradients(value, both)["stage3"].any())


def test_a_context_adds_nothing_at_first_and_both_are_trained() -> None:
    maps = random(2, 6, 3, 3, seed=0).float()
    assert torch.equal(GlobalContext(6)(maps), maps)
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("fgd", student, teacher)
    assert isinstance(loss, FocalGlobal)
    loss(student, teacher, TARGETS).backward()
    for block in (loss.context_student, loss.context_teacher):
        last: Any = block.transform[3]
        assert bool(last.weight.grad.any())
