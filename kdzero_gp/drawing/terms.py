"""The weighted terms of a distiller and the calibration that belongs to each."""

import math
from collections.abc import Sequence

from kdzero_gp.grammar.operation import WEIGHT
from kdzero_gp.grammar.tree import Node, Tree


def terms(tree: Tree) -> list[Node]:
    """Lists the `weight` nodes in the tree's order; a term that stands twice is listed twice."""
    return [node for node in tree.root.walk() if node.kind == "structure" and node.symbol == WEIGHT.name]


def calibration_by_term(tree: Tree, calibration: Sequence[float]) -> dict[Node, float]:
    """Maps each term to its factor; empty where the factors are not one for every (distinct) term."""
    nodes = terms(tree)
    distinct = list(dict.fromkeys(nodes))
    for candidates in (nodes, distinct):
        if len(candidates) == len(calibration) and all(math.isfinite(factor) for factor in calibration):
            return dict(zip(reversed(candidates), reversed([float(f) for f in calibration]), strict=True))
    return {}
