"""The checks of the tree benchmark find what they are there to find."""

from typing import Any

import pytest
import torch

from benchmarks.harness.random_knowledge import PAIRS
from benchmarks.trees.checks import Numbers, depth_and_size, finite, round_trip, type_valid
from kdzero_gp import Map, parse, transform
from kdzero_gp.grammar.grammar import DEFAULT_TAPS
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.grammar.symbols import TapSymbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Vector


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
