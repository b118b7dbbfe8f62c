"""The candidates that executors are measured with."""

from benchmarks.scaling.work import draw
from kdzero_gp import parse
from kdzero_gp.grammar.grammar import default_grammar


def test_trees_are_drawn_once_each() -> None:
    trees = draw(40, 3, default_grammar())
    assert len({parse(tree).key for tree in trees}) == 40
    assert trees[:5] == draw(5, 3, default_grammar())
