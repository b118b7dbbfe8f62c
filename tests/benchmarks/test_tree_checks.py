"""The checks of the tree benchmark find what they are there to find."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.stats import mannwhitneyu

from benchmarks.random_knowledge import PAIRS, knowledge
from benchmarks.screening_worth import worth_rows
from benchmarks.tree_checks import Numbers, depth_and_size, finite, round_trip, type_valid
from benchmarks.tree_screening import Screened, screen, screening_rows
from kdzero_gp import Map, parse, transform
from kdzero_gp.evaluate.evaluator import Trained
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.grammar.grammar import DEFAULT_TAPS
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.grammar.symbols import TapSymbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Vector
from kdzero_gp.store.record import Evaluation


@pytest.mark.parametrize(
    "text",
    [
        "weight(1, kl(logits, 4))",
        "weight(1e-05, l2(stage1))",
        "add(weight(1, l2(pool)), add(weight(0.5, l2(satt(stage3))), weight(100, kl(logits, 8))))",
    ],
)
def test_valid_text_is_valid(text: str) -> None:
    assert type_valid(text, default_registry(), DEFAULT_TAPS)
    assert parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "weight(1, kl(stage1, 4))",
        "weight(1, kl(logits))",
        "weight(1, kl(logits, 4)) 1",
        "weight(1, kl(logits, 4)",
        "weight(-1, kl(logits, 4))",
        "weight(l2(stage1), 1)",
        "weight(1, satt(stage1))",
        "weight(1, l2(stage9))",
        "weight(1, unknown(stage1))",
        "l2(stage1)",
        "stage1",
        "1",
        "weight(1; l2(stage1))",
    ],
)
def test_invalid_text_is_found(text: str) -> None:
    assert not type_valid(text, default_registry(), DEFAULT_TAPS)


def test_depth_and_size_are_counted() -> None:
    for text in ("weight(1, kl(logits, 4))", "add(weight(1, l2(satt(stage1))), weight(1, l2(pool)))"):
        tree = parse(text)
        assert depth_and_size(text) == (tree.height, tree.size)
    assert depth_and_size("weight(1, kl(logits, 4))") == (2, 5)


def test_round_trip_sees_a_wrong_typing() -> None:
    tree = parse("weight(1, l2(stage1))")
    assert round_trip(tree)
    assert not round_trip(Tree([*tree[:-1], TapSymbol("stage1", Vector)]))


def test_no_tap_but_the_logits_has_one_shape() -> None:
    for pair in PAIRS:
        student, teacher = knowledge(pair.student, 0), knowledge(pair.teacher, 1)
        same = [tap for tap in student if student[tap].shape == teacher[tap].shape]
        assert same == ["logits"]


def test_rectified_taps_are_never_negative() -> None:
    taps = knowledge(PAIRS[0].student, 0, rectified=True)
    assert all(float(taps[tap].min()) >= 0 for tap in taps if tap != "logits")
    assert float(taps["logits"].min()) < 0


def test_numbers_that_are_not_finite_are_found() -> None:
    with default_registry().copy().active():

        @transform(Map, formula="x")
        def infinite(x: Any) -> Any:
            """Infinite on large batches of maps only, so that it passes its probe."""
            return x / 0 if len(x) == 8 else x

        @transform(Map, formula="x")
        def broken(x: Any) -> Any:
            """Raises on the benchmark's batches."""
            if len(x) == 8:
                raise RuntimeError("as wanted")
            return x

        found = finite(parse("weight(1, l2(infinite(stage1)))"), PAIRS[0], 0, rectified=False)
        assert isinstance(found, Numbers)
        assert not (found.loss and found.gradient)
        message = finite(parse("weight(1, l2(broken(stage1)))"), PAIRS[0], 0, rectified=False)
        assert isinstance(message, str)
        assert "as wanted" in message
    fine = finite(parse("weight(1, l2(stage1))"), PAIRS[0], 0, rectified=False)
    assert fine == Numbers(loss=True, gradient=True, moves=True)
    assert torch.is_grad_enabled()


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
