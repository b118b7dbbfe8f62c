"""DEAP's own operators on the grammar."""

import random

from deap import gp

from benchmarks.engine import plain_deap
from kdzero_gp import random_tree
from kdzero_gp.grammar.grammar import default_grammar


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
