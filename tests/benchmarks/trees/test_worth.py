"""Whether the screening turns down the right ones."""

from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import mannwhitneyu

from benchmarks.trees.screening import Screened
from benchmarks.trees.worth import worth_rows
from kdzero_gp import parse
from kdzero_gp.evaluate.evaluator import Trained
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.store.record import Evaluation


def ended(status: Any, stage: str | None) -> Evaluation:
    return Evaluation(
        status=status, stage=stage, fitness=None, parts={}, calibration=(), fingerprint=None, steps=0, seed=0,
        seconds=0.0, host="", error=None,
    )  # fmt: skip


def test_what_is_doubted_is_trained_beside_the_survivors() -> None:
    """The first of each, with the calibration that the screening found; failed trainings are better than nothing."""
    fitness = {"stage1": 0.5, "stage2": 1.5, "stage3": 1.2, "pool": 0.9, "logits": None}
    doubts = ("stage2", "pool", "logits")
    seen: list[Any] = []

    class Trainer:
        def train(self, entries: Any, rung: int) -> Any:
            seen.extend((entry.tree, entry.screening, rung) for entry in entries)
            value = fitness[entries[0].tree.removeprefix("weight(1, l2(").removesuffix("))")]
            return [Trained(replace(ended("nan", None), status="ok" if value else "nan", fitness=value), None)]

    def one(tap: str) -> Screened:
        tree = parse(f"weight(1, l2({tap}))")
        if tap not in doubts:
            return Screened(tree, "survived", Screening(None, (3.0,), tap))
        return Screened(
            tree, "no_progress", replace(ended("rejected", "no_progress"), calibration=(3.0,), fingerprint=tap)
        )

    screened = [one(tap) for tap in fitness]
    survived, doubted = worth_rows(screened, Trainer(), 2)  # type: ignore[arg-type]
    assert (survived["trained"], survived["failed"], survived["better than the student alone %"]) == (2, 0, 50.0)
    assert survived["median"] == pytest.approx(0.85)
    assert survived["p against survivors"] is None
    assert (doubted["screening"], doubted["trained"]) == ("no progress", 2)
    assert doubted["median"] == pytest.approx(1.2)
    assert doubted["p against survivors"] == pytest.approx(mannwhitneyu([1.5, 0.9], [0.5, 1.2]).pvalue)
    assert [tree for tree, _, _ in seen] == [str(screened[i].tree) for i in (0, 2, 1, 3)]
    assert {(s.stage, s.calibration, rung) for _, s, rung in seen} == {(None, (3.0,), 0)}
    with_failure = worth_rows(screened, Trainer(), 3)[1]  # type: ignore[arg-type]
    assert (with_failure["trained"], with_failure["failed"]) == (3, 1)
    assert with_failure["better than the student alone %"] == pytest.approx(100 / 3)
