"""A distiller as a strongly-typed tree: DEAP's prefix list, with a text form and a nested view."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from deap import gp

from kdzero_gp.grammar.operation import ADD, WEIGHT, Operation
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol, Symbol
from kdzero_gp.grammar.types import Value

NodeKind = Literal["structure", "transform", "distance", "weight", "tap", "constant"]


@dataclass(frozen=True)
class Node:
    """One node of the nested view; equal nodes have equal text, so a node can key a shared computation."""

    symbol: str
    kind: NodeKind
    type: type
    children: tuple["Node", ...] = ()
    value: float | None = None
    operation: Operation | None = None
    text: str = ""

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, parents before children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def taps(self) -> tuple[str, ...]:
        """Names of the taps below, each once, in order of appearance."""
        return tuple(dict.fromkeys(node.symbol for node in self.walk() if node.kind == "tap"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Tree(gp.PrimitiveTree):
    """A distiller's formula: a prefix list of symbols whose root is a `Loss`.

    Treated as immutable: variation builds new trees. `str(tree)` is the text form, and trees are equal when their
    texts are. `tree.key` is the text of the canonical form: trees with one key share one evaluation.
    """

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        super().__init__(symbols)
        self._node: Node | None = None
        self._key: str | None = None

    @property
    def root(self) -> Node:
        """The nested view."""
        if self._node is None:
            self._node = _nest(self)
        return self._node

    @property
    def size(self) -> int:
        """Number of nodes, constants included."""
        return len(self)

    @property
    def height(self) -> int:
        """Edges from the root to the deepest node."""
        return int(super().height)

    @property
    def key(self) -> str:
        """The canonical form's text."""
        if self._key is None:
            self._key = str(self.canonical())
        return self._key

    def canonical(self) -> "Tree":
        """Gives the tree without identities and idempotent repeats, its terms sorted."""

        return canonical(self)

    def subtree(self, index: int) -> list[Symbol]:
        """Gives the symbols of the subtree whose root is at `index`."""
        return list(self[self.searchSubtree(index)])

    def __str__(self) -> str:
        return self.root.text

    def __repr__(self) -> str:
        return f"parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and str(self) == str(other)

    def __ne__(self, other: object) -> bool:  # list has one of its own, which looks at symbols
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tree":
        return Tree(self)  # symbols are immutable, sharing them is safe

    def __reduce__(self) -> tuple[Any, ...]:
        return Tree, (list(self),)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._node = self._key = None


def _nest(symbols: list[Symbol]) -> Node:
    """Builds the nested view from the back of the prefix list, without recursion."""
    stack: list[Node] = []
    for symbol in reversed(symbols):
        if isinstance(symbol, OperationSymbol):
            children = tuple(stack.pop() for _ in range(symbol.arity))
            text = f"{symbol.text}({', '.join(child.text for child in children)})"
            operation = symbol.operation
            stack.append(Node(symbol.text, operation.kind, symbol.ret, children, None, operation, text))
        elif isinstance(symbol, ConstantSymbol):
            stack.append(Node(symbol.text, "constant", symbol.ret, value=symbol.value, text=symbol.text))
        else:
            stack.append(Node(symbol.text, "tap", symbol.ret, text=symbol.text))
    return stack[-1]


DIGITS = 12
"""Significant digits of a summed weight: 0.05 + 0.1 is 0.15."""


def canonical(tree: Tree) -> Tree:
    """Drops identity operations, merges idempotent repeats and terms of one distance, and sorts the terms by text."""
    return Tree(_canonical(tree, 0)[0])


def summands(tree: Tree) -> list[list[Symbol]]:
    """Gives the symbols of every summand of the canonical form, sorted by text; a tree that is no sum has one."""
    return _terms(_canonical(tree, 0)[0])


def _canonical(tree: list[Symbol], index: int) -> tuple[list[Symbol], int]:
    """Gives the canonical symbols of the subtree at `index`, and the index behind it."""
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
    """Gives the summands of a canonical loss, which is a left-leaning chain of sums."""
    terms = []
    while _operation(symbols[0]) is ADD:
        split = Tree(symbols).searchSubtree(1).stop
        terms.append(symbols[split:])
        symbols = symbols[1:split]
    return [symbols, *reversed(terms)]


def _merged(terms: list[list[Symbol]]) -> list[list[Symbol]]:
    """Merges the terms of one distance by adding their weights, and sorts all terms by text."""
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
