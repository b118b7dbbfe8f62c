"""The hand-designed methods as candidates of a tuning."""

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.rivals.catalogue import published, scaled, softened, trees, tuned
from kdzero_gp.grammar.parse import parse

TASK: Any = SimpleNamespace(student_taps=SimpleNamespace(stages=("stage1", "stage2")))
DIST = "add(weight(32, pearson(soften(logits, 4))), weight(32, correlation(soften(logits, 4))))"


def test_every_weight_is_multiplied_and_every_temperature_replaced() -> None:
    tree = parse(DIST)
    assert str(scaled(tree, 0.1)) == DIST.replace("32", "3.2")
    assert str(softened(tree, 8)) == DIST.replace("4)", "8)")
    assert str(tree) == DIST


def test_published_ones_have_their_own_cross_entropy_and_warmup() -> None:
    known = published(TASK)
    assert known["kd"].tree == "weight(0.9, kl(logits, 4))"
    assert known["kd"].ce_weight == pytest.approx(0.1)
    assert known["dkd"].warmup == pytest.approx(20 / 240)
    assert "none" not in known
    assert set(known) == set(trees(TASK))


def test_a_small_budget_leaves_no_method_out_and_the_published_weights_come_first() -> None:
    count = len(trees(TASK))
    first = tuned(TASK, count)
    assert len(first) == count
    assert first[list(trees(TASK)).index("kd")].tree == "weight(9, kl(logits, 4))"
    many = [candidate.tree for candidate in tuned(TASK, 10**6)]
    assert len(many) == len(set(many))
    assert "weight(90, kl(logits, 4))" in many
    assert "weight(27, kl(logits, 8))" in many
    assert all(candidate.ce_weight == 1 and candidate.calibration is None for candidate in first)
