"""The hand-designed methods as candidates: as published, and tuned as a careful user would."""

from collections.abc import Iterator
from itertools import islice

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.grammar.operation import WEIGHT
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Tau, Value
from kdzero_gp.methods.method import Method
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.tasks.task import Task

MULTIPLIERS = (1.0, 0.3, 3.0, 0.1, 10.0)
TEMPERATURES = (1.0, 2.0, 8.0)
"""Beside the published one, each with the multipliers up to 3."""


def trees(task: Task) -> dict[str, tuple[Method, Tree]]:
    """The methods that are trees and fit the task."""
    stages = task.student_taps.stages
    return {
        name: (method, parse(str(method.tree(stages))))
        for name, method in METHODS.items()
        if method.module is None and name != "none"
    }


def published(task: Task) -> dict[str, Candidate]:
    """Each with its published weights, cross-entropy weight and warm-up of 240 epochs."""
    return {
        name: Candidate(str(tree), ce_weight=method.ce_weight, warmup=method.warmup_epochs / 240)
        for name, (method, tree) in trees(task).items()
    }


def tuned(task: Task, budget: int) -> list[Candidate]:
    """The first so many of all methods times all multipliers of their weights, then other temperatures.

    Weights are those beside a full cross-entropy. The nearest to the published come first, method by method, so that a
    small budget leaves none out.
    """
    return list(islice(dict.fromkeys(_variants(task)), budget))


def _variants(task: Task) -> Iterator[Candidate]:
    known = trees(task)
    beside = {name: scaled(tree, 1 / method.ce_weight) for name, (method, tree) in known.items()}
    soft = {name: tree for name, tree in beside.items() if any(_is(symbol, Tau) for symbol in tree)}
    for multiplier in MULTIPLIERS[:3]:
        yield from (Candidate(str(scaled(tree, multiplier))) for tree in beside.values())
    for multiplier in MULTIPLIERS[:3]:
        for temperature in TEMPERATURES:
            yield from (Candidate(str(scaled(softened(tree, temperature), multiplier))) for tree in soft.values())
    for multiplier in MULTIPLIERS[3:]:
        yield from (Candidate(str(scaled(tree, multiplier))) for tree in beside.values())


def scaled(tree: Tree, multiplier: float) -> Tree:
    """Multiplies the weight of every term."""
    symbols = list(tree)
    for place, symbol in enumerate(tree):
        weight = tree[place + 1] if isinstance(symbol, OperationSymbol) and symbol.operation is WEIGHT else None
        if isinstance(weight, ConstantSymbol):
            symbols[place + 1] = ConstantSymbol(float(f"{weight.value * multiplier:.6g}"), Value)
    return Tree(symbols)


def softened(tree: Tree, temperature: float) -> Tree:
    """Gives every softening another temperature."""
    return Tree([ConstantSymbol(temperature, Tau) if _is(symbol, Tau) else symbol for symbol in tree])


def _is(symbol: object, kind: type) -> bool:
    return isinstance(symbol, ConstantSymbol) and symbol.ret is kind
