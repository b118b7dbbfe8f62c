"""Every end of the screening is counted once."""

from typing import Any

import pytest

from benchmarks.trees.screening import screen, screening_rows
from kdzero_gp import parse
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation


class FakeEvaluator:
    """Ends by the tree's text."""

    def __init__(self, ends: dict[str, Screening | Evaluation]) -> None:
        self.ends = ends

    def screen(self, tree: Tree) -> Screening | Evaluation:
        return self.ends[str(tree)]


def ended(status: Any, stage: str | None) -> Evaluation:
    return Evaluation(
        status=status, stage=stage, fitness=None, parts={}, calibration=(), fingerprint=None, steps=0, seed=0,
        seconds=0.0, host="", error=None,
    )  # fmt: skip


def test_screening_counts_every_end_once() -> None:
    ends = {
        "weight(1, l2(stage1))": Screening(None, (1.0,), "a"),
        "weight(1, l2(stage2))": Screening(None, (1.0,), "a"),
        "weight(1, l2(stage3))": ended("rejected", "no_gradient"),
        "weight(1, l2(pool))": ended("error", None),
    }
    trees = [parse(text) for text in (*ends, "weight(1, l2(stage1))")]
    screened = screen(trees, FakeEvaluator(ends))  # type: ignore[arg-type]
    assert [(str(one.tree), one.end) for one in screened] == [
        ("weight(1, l2(stage1))", "survived"),
        ("weight(1, l2(stage2))", "functional_duplicate"),
        ("weight(1, l2(stage3))", "no_gradient"),
        ("weight(1, l2(pool))", "error"),
        ("weight(1, l2(stage1))", "canonical_duplicate"),
    ]
    rows = screening_rows(screened, "a pair")
    assert sum(float(row["share %"]) for row in rows) == pytest.approx(100)  # type: ignore[arg-type]
    assert [row["ended at"] for row in rows][-2:] == ["error", "survived"]
    assert {row["of"] for row in rows} == {5}
