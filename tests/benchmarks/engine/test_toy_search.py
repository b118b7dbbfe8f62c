"""The toy search: its effects, and what it spends."""

from benchmarks.engine.toy_search import Effects, our_search, plain_search
from kdzero_gp import parse, random_tree
from kdzero_gp.grammar.grammar import default_grammar


def test_effects_are_equal_for_equal_functions_alone() -> None:
    effects = Effects()
    same = ["weight(1, l2(stage1))", "weight(1, l2(scale(stage1)))", "weight(2, l2(stage1))", "weight(1, l2(stage2))"]
    first, _, doubled, other = (effects(parse(text)) for text in same)
    assert len({first, doubled, other}) == 3
    assert effects(parse(same[0])) == first
    assert 0 <= effects.fitness(parse(same[0])) < 1


def test_toy_searches_spend_the_same_and_ours_repeats_nothing() -> None:
    grammar, effects = default_grammar(), Effects()
    ours = our_search(grammar, effects, population=6, generations=4, seed=1)
    assert len(ours.trees) == 30
    assert ours.distinct == (30, 30, 30)
    founders = [random_tree(seed, grammar=grammar) for seed in range(6)]
    theirs = plain_search(grammar, effects, founders, budget=30, seed=1)
    assert len(theirs.trees) == 30
    texts, keys, distinct = theirs.distinct
    assert distinct <= keys <= texts <= 30
    assert all(len(tree) <= 30 and tree.height <= 7 for tree in theirs.trees)
