"""Search-space shrinkage: operations whose carriers are credibly worse are drawn less often.

Source: KD-Zero (NeurIPS 2023) shrinks its search space by the performance of the operations' carriers; here the
judgement is a one-sided Mann-Whitney test between the carriers of an operation and all other trees.
"""

from collections.abc import Iterable, Sequence

from scipy.stats import mannwhitneyu

from kdzero_gp.evolve.individual import Individual
from kdzero_gp.grammar.grammar import Grammar

LEAST_CARRIERS = 8
"""Fewer carriers than these prove nothing."""
LEVEL = 0.01
"""Significance at which carriers count as worse."""
FACTOR = 0.5
"""A judged operation's weight is multiplied by this, once for each generation in which it is judged."""
FLOOR = 0.05
"""Least weight: no operation, and so no producer of a type, is ever lost altogether."""


def shrunk_weights(grammar: Grammar, weights: dict[str, float], trained: Sequence[Individual]) -> dict[str, float]:
    """Computes the sampling weights after one more generation.

    Args:
        grammar: whose operations are judged.
        weights: by operation name, 1 where not given.
        trained: every individual of the run so far.
    """
    result = dict(weights)
    carried = [_operations(individual) for individual in trained]
    for name in grammar.operations:
        carriers = [i.value for i, names in zip(trained, carried, strict=True) if name in names]
        others = [i.value for i, names in zip(trained, carried, strict=True) if name not in names]
        if len(carriers) < LEAST_CARRIERS or len(others) < LEAST_CARRIERS or _sole_producer(grammar, name):
            continue
        if float(mannwhitneyu(carriers, others, alternative="greater").pvalue) < LEVEL:
            result[name] = max(FLOOR, FACTOR * result.get(name, 1.0))
    return result


def _operations(individual: Individual) -> set[str]:
    return {node.symbol for node in individual.tree.canonical().root.walk() if node.operation is not None}


def _sole_producer(grammar: Grammar, name: str) -> bool:
    """Tells whether this operation alone makes some type."""
    by_type: Iterable[set[str]] = (
        {symbol.operation.name for symbol in symbols} for type_, symbols in grammar.producers.items() if symbols
    )
    return any(names == {name} for names in by_type)
