"""The language of distillers: types, operations, trees, their text form and their variation."""

from kdzero_gp.grammar.decorators import distance, transform, weight
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Constant, Logits, Loss, Map, PerSample, Rows, Tau, Value, Vector

__all__ = [
    "Constant",
    "Logits",
    "Loss",
    "Map",
    "PerSample",
    "Rows",
    "Tau",
    "Tree",
    "Value",
    "Vector",
    "distance",
    "parse",
    "random_tree",
    "transform",
    "weight",
]
