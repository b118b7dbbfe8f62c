"""The parts of the engine benchmark: timing, DEAP's operators, the toy search."""

import random
import time

from deap import gp

from benchmarks import plain_deap
from benchmarks.timing import race
from benchmarks.toy_search import Effects, our_search, plain_search
from kdzero_gp import parse, random_tree
from kdzero_gp.grammar.grammar import default_grammar


def test_race_times_every_contestant_and_keeps_the_first_round() -> None:
    rounds: list[int] = []

    def slow(number: int) -> int:
        rounds.append(number)
        time.sleep(0.002)
        return number

    times = race({"slow": slow, "fast": lambda number: -number}, calls=3, rounds=2)
    assert times["slow"].outcomes == (0, 1, 2)
    assert times["fast"].outcomes == (0, -1, -2)
    assert times["slow"].microseconds >= 2000 > times["fast"].microseconds
    assert rounds == [0, 0, 1, 2, 0, 1, 2], "one call warms up"


def test_plain_deap_generator_dead_ends() -> None:
    random.seed(0)
    grammar = default_grammar()
    outcomes = [plain_deap.generate(grammar, 7) for _ in range(300)]
    assert plain_deap.FAILED in outcomes
    assert outcomes.count(plain_deap.FAILED) > 150


def test_plain_deap_operators_leave_their_parents_alone() -> None:
    random.seed(0)
    grammar = default_grammar()
    trees = [random_tree(seed, grammar=grammar) for seed in range(20)]
    before = [str(tree) for tree in trees]
    for tree in trees:
        for mutation in plain_deap.mutations(grammar).values():
            child = mutation(tree)
            assert child == plain_deap.FAILED or isinstance(child, gp.PrimitiveTree)
        plain_deap.crossover(tree, trees[0])
    assert [str(tree) for tree in trees] == before


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
