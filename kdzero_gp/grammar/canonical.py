"""The canonical form: one tree for all that differ only in what cannot matter."""

from kdzero_gp.grammar.operation import ADD, WEIGHT, Operation
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol, Symbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Value

DIGITS = 12
"""Significant digits of a summed weight: 0.05 + 0.1 is 0.15."""


def canonical(tree: Tree) -> Tree:
    """Drops identity operations, merges idempotent repeats and terms of one distance, and sorts the terms by text."""
    return Tree(_canonical(tree, 0)[0])


def summands(tree: Tree) -> list[list[Symbol]]:
    """The symbols of every summand of the canonical form, sorted by text; a tree that is no sum has one."""
    return _terms(_canonical(tree, 0)[0])


def _canonical(tree: list[Symbol], index: int) -> tuple[list[Symbol], int]:
    """The canonical symbols of the subtree at `index`, and the index behind it."""
    symbol = tree[index]
    index += 1
    if not isinstance(symbol, OperationSymbol):
        return [symbol], index
    arguments: list[list[Symbol]] = []
    for _ in range(symbol.arity):
        argument, index = _canonical(tree, index)
        arguments.append(argument)
    operation = symbol.operation
    if operation.identity and arguments[0][0].ret is symbol.ret:
        return arguments[0], index
    if operation.idempotent and _operation(arguments[0][0]) is operation:
        return arguments[0], index
    if operation is ADD:
        terms = _merged(_terms(arguments[0]) + _terms(arguments[1]))
        result = terms[0]
        for term in terms[1:]:
            result = [symbol, *result, *term]
        return result, index
    return [symbol, *(s for argument in arguments for s in argument)], index


def _operation(symbol: Symbol) -> Operation | None:
    return symbol.operation if isinstance(symbol, OperationSymbol) else None


def _terms(symbols: list[Symbol]) -> list[list[Symbol]]:
    """The summands of a canonical loss, which is a left-leaning chain of sums."""
    terms = []
    while _operation(symbols[0]) is ADD:
        split = Tree(symbols).searchSubtree(1).stop
        terms.append(symbols[split:])
        symbols = symbols[1:split]
    return [symbols, *reversed(terms)]


def _merged(terms: list[list[Symbol]]) -> list[list[Symbol]]:
    """The terms sorted by text, those of one distance made one whose weight is the sum of theirs."""
    values: dict[str, float] = {}
    heads: dict[str, list[Symbol]] = {}
    others = []
    for term in terms:
        if _operation(term[0]) is not WEIGHT:  # a schedule of a loss, say
            others.append(term)
            continue
        distance = str(Tree(term[2:]))
        values[distance] = values.get(distance, 0.0) + term[1].value
        heads.setdefault(distance, term)
    merged = [
        [term[0], ConstantSymbol(float(f"{values[distance]:.{DIGITS}g}"), Value), *term[2:]]
        for distance, term in heads.items()
    ]
    return sorted(merged + others, key=lambda term: str(Tree(term)))
