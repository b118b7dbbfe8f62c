"""The trees that an evolution begins with: hand-designed methods, as strong beside the cross-entropy as published."""

import math
from collections.abc import Callable, Sequence

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.grammar.operation import WEIGHT
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import CONSTANTS, Value
from kdzero_gp.grammar.vary import Limits
from kdzero_gp.methods.registry import methods


def seed_trees(names: Sequence[str], evaluator: Evaluator, limits: Limits) -> list[Tree]:
    """Gives the methods of these names; where terms are calibrated, their weights are translated.

    Raises:
        ConfigError: one is beyond the limits, or needs stages or a kind of classes that the pair does not have.
    """
    seeds = []
    for chosen in methods(names):
        tree = chosen.tree(evaluator.task.student_taps.stages)
        evaluator.task.check_tree(tree, f"--seed-methods {chosen.name}")
        if not limits.allow(tree):
            raise ConfigError(
                f"--seed-methods {chosen.name} has size {tree.size} and depth {tree.height}, but the limits are "
                f"--max-size {limits.max_size} and --max-depth {limits.max_depth}; raise them or leave it out"
            )
        if evaluator.settings.calibrate:
            tree = translated(tree, lambda term: _factor(evaluator, term), chosen.ce_weight)
        seeds.append(tree)
    return seeds


def translated(tree: Tree, factor: Callable[[Tree], float | None], ce_weight: float) -> Tree:
    """Replaces the weights by those of the grid that come nearest to the stated strength of the calibrated terms.

    Args:
        factor: what calibration multiplies a term by, if it can be calibrated.
        ce_weight: of the cross-entropy beside the tree; in a search it is 1.
    """
    symbols = list(tree)
    for place, symbol in enumerate(tree):
        weight = tree[place + 1] if isinstance(symbol, OperationSymbol) and symbol.operation is WEIGHT else None
        if isinstance(weight, ConstantSymbol):
            by = factor(Tree(tree.subtree(place)))
            wanted = 1.0 if by is None else weight.value / ce_weight / by
            symbols[place + 1] = ConstantSymbol(_on_grid(wanted), Value)
    return Tree(symbols)


def _factor(evaluator: Evaluator, term: Tree) -> float | None:
    found = evaluator.screen(term).calibration
    return found[0] if found else None


def _on_grid(wanted: float) -> float:
    return min(CONSTANTS[Value], key=lambda value: abs(math.log(value / wanted)))
