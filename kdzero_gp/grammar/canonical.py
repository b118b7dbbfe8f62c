"""The canonical form: one tree for all that differ only in what cannot matter."""

from kdzero_gp.grammar.operation import ADD, Operation
from kdzero_gp.grammar.symbols import OperationSymbol, Symbol
from kdzero_gp.grammar.tree import Tree


def canonical(tree: Tree) -> Tree:
    """Drops identity operations, merges idempotent repeats, and sorts the terms of every sum by text."""
    return Tree(_canonical(tree, 0)[0])


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
        terms = sorted(_terms(arguments[0]) + _terms(arguments[1]), key=lambda term: str(Tree(term)))
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
