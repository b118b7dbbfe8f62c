"""The sum of two distillers, each term scaled as in the one that it comes from."""

from collections.abc import Sequence

from kdzero_gp.distiller.program import terms_of
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree

Scaled = tuple[Tree, Sequence[float] | None]
"""A tree with one factor for each term of its canonical form; None as written, that is, 1 for each."""


def summed(first: Scaled, second: Scaled) -> Scaled:
    """`add(first, second)` with its factors. Terms of one distance, which the canonical form merges, add up too."""
    tree = parse(f"add({first[0]}, {second[0]})")
    if first[1] is None and second[1] is None:
        return tree, None
    weighted: dict[str, list[tuple[float, float]]] = {}
    for part, factors in (first, second):
        terms = terms_of(part.canonical().root)
        for term, factor in zip(terms, factors or [1.0] * len(terms), strict=True):
            weighted.setdefault(term.distance.text, []).append((term.value, factor))
    together = [weighted[term.distance.text] for term in terms_of(tree.canonical().root)]
    return tree, tuple(_factor(pairs) for pairs in together)


def _factor(pairs: Sequence[tuple[float, float]]) -> float:
    if len(pairs) == 1:
        return pairs[0][1]  # as it was, to the last bit
    return sum(value * factor for value, factor in pairs) / sum(value for value, _ in pairs)
