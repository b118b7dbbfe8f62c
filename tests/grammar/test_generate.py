"""Random trees and their variation: valid, typed, within the limits, and the same for the same seed."""

import os
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdzero_gp import parse, random_tree
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.generate import random_subtree
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, Logits, Loss, Map, PerSample, Rows, Vector
from kdzero_gp.grammar.vary import Limits, Variation

seeds = st.integers(0, 2**32 - 1)
MUTATIONS = ["subtree", "node", "constant", "hoist", "shrink", "insert"]
RECOMBINATIONS = ["crossover", "join"]


def plain_depth(tree: list[object], index: int = 0) -> tuple[int, int]:
    """Height below a position and the position behind it, by plain recursion."""
    symbol = tree[index]
    height, index = 0, index + 1
    for _ in range(symbol.arity):  # type: ignore[attr-defined]
        below, index = plain_depth(tree, index)
        height = max(height, below + 1)
    return height, index


def assert_valid(tree: Tree) -> None:
    """Arguments have the types their operation declares, the root is a Loss, and the text is read back the same."""

    def check(index: int) -> int:
        symbol = tree[index]
        index += 1
        if isinstance(symbol, OperationSymbol):
            assert symbol.signature in symbol.operation.signatures
            for wanted in symbol.signature.inputs:
                assert tree[index].ret is wanted
                index = check(index)
        elif isinstance(symbol, ConstantSymbol):
            assert symbol.value > 0
        return index

    assert tree[0].ret is Loss
    assert check(0) == len(tree)
    assert list(parse(str(tree))) == list(tree)


@settings(max_examples=150)
@given(seeds, st.integers(2, 12), st.integers(4, 60), st.sampled_from(["grow", "full", "half"]), st.booleans())
def test_limits_hold(seed: int, max_depth: int, max_size: int, method: str, extended: bool) -> None:
    grammar = default_grammar(extended=extended)
    for offset in range(5):
        tree = random_tree(seed + offset, max_depth=max_depth, max_size=max_size, method=method, grammar=grammar)
        assert_valid(tree)
        height, stop = plain_depth(tree)
        assert stop == len(tree) == tree.size <= max_size
        assert height == tree.height <= max_depth


def test_the_smallest_limits_give_the_smallest_trees() -> None:
    trees = {random_tree(seed, max_depth=2, max_size=4) for seed in range(200)}
    assert all(tree.height == 2 and tree.size == 4 for tree in trees)
    assert len(trees) > 20


@pytest.mark.parametrize(("max_depth", "max_size"), [(1, 30), (0, 30), (-1, 30), (7, 3), (7, 0), (1, 1)])
def test_limits_that_allow_nothing_are_refused(max_depth: int, max_size: int) -> None:
    with pytest.raises(ConfigError, match=r"max_depth >= 2 and max_size >= 4"):
        random_tree(0, max_depth=max_depth, max_size=max_size)


@pytest.mark.parametrize("type_", [*KNOWLEDGE, PerSample, *CONSTANTS])
def test_subtrees_of_every_type_stay_within_their_limits(type_: type) -> None:
    grammar = default_grammar(extended=True)
    rng = random.Random(3)
    for _ in range(60):
        depth = rng.randint(grammar.minimum_height[type_], 6)
        size = rng.randint(grammar.minimum_size[type_], 20)
        symbols = random_subtree(rng, grammar, type_, depth, size, weights={})
        height, stop = plain_depth(symbols)
        assert symbols[0].ret is type_
        assert stop == len(symbols) <= size
        assert height <= depth


def test_all_operations_and_taps_occur() -> None:
    grammar = default_grammar(extended=True)
    seen = {symbol.text for seed in range(3000) for symbol in random_tree(seed, grammar=grammar)}
    assert set(grammar.operations) <= seen
    assert {"stage1", "stage2", "stage3", "pool", "logits"} <= seen


def test_sources_of_randomness() -> None:
    assert random_tree(5) == random_tree(random.Random(5))
    assert random_tree(np.random.default_rng(5)) == random_tree(np.random.default_rng(5))
    state = random.getstate()
    random_tree(random.Random(1))
    assert random.getstate() == state, "the global generator was drawn from"


def test_sampling_weights_steer() -> None:
    def share(weights: dict[str, float]) -> float:
        trees = [random_tree(seed, weights=weights) for seed in range(300)]
        return sum("satt(" in str(tree) for tree in trees) / 300

    assert share({"satt": 0.0}) == 0
    assert share({"satt": 50.0}) > 2 * share({})


@settings(max_examples=120)
@given(seeds, st.integers(2, 9), st.integers(4, 40))
def test_variation_keeps_types_and_limits(seed: int, max_depth: int, max_size: int) -> None:
    variation = Variation(default_grammar(extended=seed % 2 == 0), Limits(max_depth, max_size))
    rng = random.Random(seed)
    left, right = (random_tree(rng, max_depth=max_depth, max_size=max_size) for _ in range(2))
    before = str(left), str(right)
    results = {name: mutate(rng, left) for name, mutate in variation.mutations().items()}
    results |= {name: recombine(rng, left, right) for name, recombine in variation.recombinations().items()}
    assert sorted(results) == sorted(MUTATIONS + RECOMBINATIONS)
    for tree in results.values():
        if tree is not None:
            assert_valid(tree)
            assert tree.height <= max_depth
            assert tree.size <= max_size
    assert (str(left), str(right)) == before


@pytest.mark.parametrize("name", MUTATIONS + RECOMBINATIONS)
def test_every_operator_finds_something_new(name: str) -> None:
    variation = Variation(default_grammar(), Limits())
    rng = random.Random(0)
    new = 0
    for _ in range(100):
        left, right = random_tree(rng, max_depth=6, max_size=20), random_tree(rng, max_depth=6, max_size=20)
        recombine = variation.recombinations().get(name)
        child = recombine(rng, left, right) if recombine else variation.mutations()[name](rng, left)
        new += child is not None and child != left
    assert new >= 40


def test_what_each_operator_does() -> None:
    variation = Variation(default_grammar(), Limits())
    rng = random.Random(1)
    for _ in range(200):
        tree = random_tree(rng)
        moved = variation.constant(rng, tree)
        if moved is not None:
            changed = [(a, b) for a, b in zip(tree, moved, strict=True) if a != b]
            ((old, new),) = changed
            grid = list(CONSTANTS[old.ret])
            assert abs(grid.index(old.value) - grid.index(new.value)) == 1
        node = variation.node(rng, tree)
        if node is not None:
            assert len(node) == len(tree)
            assert sum(a != b for a, b in zip(tree, node, strict=True)) == 1
        hoisted = variation.hoist(rng, tree)
        assert hoisted is None or hoisted.size < tree.size
        inserted = variation.insert(rng, tree)
        assert inserted is None or inserted.size > tree.size


def plain_terms(tree: Tree) -> Counter[str]:
    """The terms of a sum, by splitting nested `add` nodes."""

    def split(node: Node) -> list[str]:
        return [text for child in node.children for text in split(child)] if node.symbol == "add" else [node.text]

    return Counter(split(tree.canonical().root))


def test_joined_trees_hold_terms_of_both_parents_and_nothing_else() -> None:
    rng = random.Random(2)
    whole = partly = 0
    for _ in range(300):
        left, right = random_tree(rng, max_size=18), random_tree(rng, max_size=18)
        joined = Variation(default_grammar(), Limits()).join(rng, left, right)
        if joined is None:
            continue
        mine, theirs = plain_terms(left), plain_terms(right)
        distances = {str(Tree(parse(text)[2:])) for text in mine + theirs}
        if len(distances) < len(mine + theirs):
            continue  # terms of one distance are one, with the sum of their weights
        found = plain_terms(joined)
        assert not found - (mine | theirs)
        assert found & mine
        assert found - mine
        whole += found == mine | theirs
        partly += found != mine | theirs
    assert whole > 100
    assert partly > 5


def test_join_within_the_limits() -> None:
    left = parse("add(weight(1, l2(stage1)), weight(1, l2(stage2)))")
    right = parse("add(weight(1, l1(logits)), weight(1, l1(pool)))")
    sizes = {
        limit: Variation(default_grammar(), Limits(7, limit)).join(random.Random(0), left, right)
        for limit in (8, 9, 14, 30)
    }
    assert sizes[8] is None  # not even one term of each
    assert [len(plain_terms(tree)) for tree in (sizes[9], sizes[14], sizes[30]) if tree] == [2, 3, 4]
    assert Variation(default_grammar(), Limits(3, 30)).join(random.Random(0), left, right) is not None


def test_nothing_is_joined_to_itself() -> None:
    tree = parse("add(weight(1, l2(stage1)), weight(1, l1(pool)))")
    part = parse("weight(1, l1(pool))")
    variation = Variation(default_grammar(), Limits())
    assert variation.join(random.Random(0), tree, tree) is None
    assert variation.join(random.Random(0), tree, part) is None
    joined = variation.join(random.Random(0), part, tree)
    assert joined is not None
    assert joined.key == tree.key


def test_typed_constants_off_the_grid_move_onto_it() -> None:
    variation = Variation(default_grammar(), Limits())
    for text in ("weight(1000, l2(stage1))", "weight(0.0001, l2(stage1))", "weight(2, l2(stage1))"):
        moved = variation.constant(random.Random(0), parse(text))
        assert moved is not None
        assert moved[1].value in (0.01, 1, 5, 100)


def test_a_tree_of_minimal_size_can_be_varied() -> None:
    variation = Variation(default_grammar(), Limits(2, 4))
    rng = random.Random(0)
    tree = parse("weight(1, l2(stage1))")
    for _ in range(50):
        for mutate in variation.mutations().values():
            child = mutate(rng, tree)
            assert child is None or child.size == 4


SCRIPT = """
import random, kdzero_gp
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.vary import Limits, Variation
rng = random.Random(7)
trees = [kdzero_gp.random_tree(rng) for _ in range(60)]
variation = Variation(default_grammar(), Limits())
for left, right in zip(trees[:-1], trees[1:]):
    children = [recombine(rng, left, right) for recombine in variation.recombinations().values()]
    children += [mutate(rng, left) for mutate in variation.mutations().values()]
    print(left, left.key, *children, sep="\\n")
"""


def test_one_seed_gives_one_run_whatever_the_hash_seed() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "12345")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") > 400


def test_a_grammar_of_few_taps_still_gives_trees() -> None:
    for taps in ({"logits": Logits}, {"pool": Vector}, {"stage1": Map}):
        grammar = Grammar(default_registry(), taps)
        for seed in range(50):
            tree = random_tree(seed, grammar=grammar)
            assert_valid(tree)
            assert set(tree.root.taps()) == set(taps)


def test_a_grammar_that_reaches_no_loss_is_refused() -> None:
    registry = default_registry()
    with pytest.raises(ConfigError, match="no distiller can be formed from the taps none"):
        Grammar(registry, {})
    no_distance = {name: o for name, o in registry.items() if o.kind != "distance"}
    with pytest.raises(ConfigError, match="no distiller"):
        Grammar(no_distance, {"stage1": Map})
    rows_alone: dict[str, Operation] = {n: o for n, o in registry.items() if o.kind == "structure" or n == "hard"}
    with pytest.raises(ConfigError, match="no distiller"):
        Grammar(rows_alone, {"rows": Rows})
