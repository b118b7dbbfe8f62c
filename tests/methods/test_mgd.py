"""Masked generative distillation against its formula in plain loops, and what its masks drop."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.mgd import MaskedGeneration
from kdzero_gp.methods.world import Now
from tests.methods.conftest import TARGETS, assert_same, knowledge, prepared

NOW = Now(step=4, seed=2)


def built(text: str, channels: int = 5) -> tuple[Knowledge, Knowledge, MaskedGeneration]:
    student, teacher = knowledge(0, channels=channels, gradient=True), knowledge(50, channels=7)
    loss = prepared(text, student, teacher)
    assert isinstance(loss, MaskedGeneration)
    return student, teacher, loss


@pytest.mark.parametrize("masks", ["channels", "positions"])
def test_it_is_the_error_of_what_is_generated_from_the_rest(masks: str) -> None:
    student, teacher, loss = built(f'mgd(dropped=0.5, masks="{masks}")')
    align: Any = loss.align
    layers: Any = loss.generate

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        maps = torch.einsum("oi,nihw->nohw", align.weight[:, :, 0, 0], s["stage3"])
        maps = maps + align.bias[:, None, None]
        mask = loss._mask(maps, NOW)
        kept = torch.zeros_like(maps)
        for n in range(4):
            for c in range(7):
                for i in range(2):
                    for j in range(2):
                        stays = mask[n, c, 0, 0] if masks == "channels" else mask[n, 0, i, j]
                        if float(stays) == 1:
                            kept[n, c, i, j] = maps[n, c, i, j]
        first, _, second = layers
        hidden = F.conv2d(kept, first.weight, first.bias, padding=1).clamp(min=0)
        generated = F.conv2d(hidden, second.weight, second.bias, padding=1)
        errors = [(a - b) ** 2 for a, b in zip(generated.flatten(), t["stage3"].flatten(), strict=True)]
        return 1.76 * torch.stack(errors).sum() / (4 * 7 * 4)

    assert_same(loss, by_hand, student, teacher, now=NOW)


def test_the_published_share_is_dropped_and_the_rest_stays_as_it_is() -> None:
    *_, loss = built("mgd")
    maps = torch.zeros(200, 50, 3, 3)
    mask = loss._mask(maps, NOW)
    assert mask.shape == (200, 50, 1, 1)
    assert set(mask.unique().tolist()) == {0, 1}
    assert float((mask == 0).float().mean()) == pytest.approx(0.15, abs=0.02)
    *_, loss = built('mgd(dropped=0.65, masks="positions")')
    mask = loss._mask(torch.zeros(200, 2, 7, 7), NOW)
    assert mask.shape == (200, 1, 7, 7)
    assert float((mask == 0).float().mean()) == pytest.approx(0.65, abs=0.02)


def test_masks_are_those_of_the_step_and_the_seed() -> None:
    student, teacher, loss = built("mgd(dropped=0.5)")
    values = [
        float(loss(student, teacher, TARGETS, now).detach())
        for now in (NOW, Now(step=4, seed=2), Now(step=5, seed=2), Now(step=4, seed=3))
    ]
    assert values[0] == values[1]
    assert len(set(values)) == 3


def test_equal_channels_need_no_alignment() -> None:
    *_, loss = built("mgd", channels=7)
    assert not list(loss.align.parameters())


def test_a_larger_map_is_averaged_first() -> None:
    student = knowledge(0, channels=5, stage3=(4, 5, 4, 4))
    teacher = knowledge(50, channels=7)
    loss = prepared("mgd", student, teacher)
    smaller = Knowledge(**(dict(student) | {"stage3": F.avg_pool2d(student["stage3"], 2)}))
    assert float(loss(student, teacher, TARGETS, NOW).detach()) == pytest.approx(
        float(loss(smaller, teacher, TARGETS, NOW).detach())
    )
