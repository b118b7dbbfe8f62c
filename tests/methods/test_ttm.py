"""Transformed teacher matching, and its weighted form, against their formulas in plain loops."""

import pytest
import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from tests.methods.conftest import assert_same, knowledge, prepared


@pytest.mark.parametrize("weighted", [False, True])
def test_only_the_teacher_is_tempered(weighted: bool) -> None:
    student, teacher = knowledge(0, gradient=True), knowledge(50)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for own, other in zip(s["logits"], t["logits"], strict=True):
            q = own.exp() / own.exp().sum()
            plain = other.exp() / other.exp().sum()
            powers = [p**0.5 for p in plain]
            for p, a in zip(powers, q, strict=True):
                share = p / sum(powers)
                total = total + (sum(powers) if weighted else 1.0) * share * (share.log() - a.log())
        return 3 * total / 4

    name = "wttm" if weighted else "ttm"
    assert_same(prepared(f"{name}(weight=3, temperature=2)", student, teacher), by_hand, student, teacher)
