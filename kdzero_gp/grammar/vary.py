"""Crossover and mutations on typed trees.

DEAP's own operators draw from the global `random`, iterate over a set of classes, and dead-end where a type has no
terminal; these draw from the run's generator, order types by name, and keep the size and depth limits. Every operator
returns a new tree, or None where it finds nothing to do.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kdzero_gp.grammar.generate import random_subtree
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.operation import ADD
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol, Symbol
from kdzero_gp.grammar.tree import Tree, summands
from kdzero_gp.grammar.types import CONSTANTS, Loss

SUBTREE_DEPTH = 3
"""Greatest height of a freshly grown subtree: a mutation is a local change."""


@dataclass(frozen=True)
class Limits:
    """The largest trees a run may hold; the first population keeps them as well."""

    max_depth: int = 7
    max_size: int = 30

    def allow(self, tree: Tree) -> bool:
        """Tells whether a tree is within both limits."""
        return tree.size <= self.max_size and tree.height <= self.max_depth


@dataclass(frozen=True)
class Variation:
    """The operators over one grammar, with its limits and the current sampling weights of its operations."""

    grammar: Grammar
    limits: Limits
    weights: Mapping[str, float] = field(default_factory=dict)

    def crossover(self, rng: random.Random, left: Tree, right: Tree) -> Tree | None:
        """Replaces a subtree of `left` by one of `right` of equal type."""
        donors = _positions_by_type(right)
        places = _positions_by_type(left)
        shared = sorted(set(donors) & set(places), key=lambda type_: type_.__name__)
        if not shared:
            return None
        # a position is drawn, not a type: rare types do not get more than their share
        place = rng.choice([p for type_ in shared for p in places[type_]])
        donor = rng.choice(donors[left[place].ret])
        return self._accept(_replace(left, place, right.subtree(donor)))

    def join(self, rng: random.Random, left: Tree, right: Tree) -> Tree | None:
        """Adds terms of `right` to those of `left`: all of both, or as many as the limits allow.

        What two good distillers transfer often adds up, and no exchange of subtrees makes a sum out of single terms.
        """
        add = next((s for s in self.grammar.producers.get(Loss, ()) if s.operation is ADD), None)
        mine = summands(left)
        theirs = [term for term in summands(right) if term not in mine]
        if add is None or not theirs:
            return None
        rng.shuffle(mine)
        rng.shuffle(theirs)
        while True:
            joined = Tree(_balanced_sum(add, mine + theirs))
            if self.limits.allow(joined) or len(mine) == len(theirs) == 1:
                return self._accept(joined)
            (mine if len(mine) > len(theirs) else theirs).pop()

    def subtree(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Replaces a subtree by a freshly grown one."""
        place = rng.randrange(1, len(tree))
        return self._accept(_replace(tree, place, self._grow(rng, tree[place].ret, SUBTREE_DEPTH)))

    def node(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Replaces one operation by another of the same typing, or one tap by another."""
        choices = [(p, other) for p in range(1, len(tree)) if (other := self._alternatives(tree[p]))]
        if not choices:
            return None
        place, others = rng.choice(choices)
        weights = [self._weight(symbol) for symbol in others]
        return self._accept(Tree([*tree[:place], rng.choices(others, weights)[0], *tree[place + 1 :]]))

    def constant(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Moves one constant to a neighbour on its grid."""
        places = [p for p, symbol in enumerate(tree) if isinstance(symbol, ConstantSymbol)]
        if not places:
            return None
        place = rng.choice(places)
        type_, value = tree[place].ret, tree[place].value
        smaller = [v for v in CONSTANTS[type_] if v < value]
        larger = [v for v in CONSTANTS[type_] if v > value]
        moved = rng.choice(smaller[-1:] + larger[:1])
        return Tree([*tree[:place], ConstantSymbol(moved, type_), *tree[place + 1 :]])

    def hoist(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Replaces a subtree by a smaller one of the same type from inside it."""
        choices = []
        for place, symbol in enumerate(tree):
            inside = range(place + 1, tree.searchSubtree(place).stop)
            choices += [(place, p) for p in inside if tree[p].ret is symbol.ret]
        if not choices:
            return None
        place, chosen = rng.choice(choices)
        return self._accept(_replace(tree, place, tree.subtree(chosen)))

    def shrink(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Replaces a subtree by a smallest one of its type: a tap, or a distance of a tap."""
        places = [p for p in range(1, len(tree)) if tree[p].arity]
        if not places:
            return None
        place = rng.choice(places)
        return self._accept(_replace(tree, place, self._minimal(rng, tree[place].ret)))

    def insert(self, rng: random.Random, tree: Tree) -> Tree | None:
        """Puts an operation above a subtree that becomes one of its arguments; the others are smallest ones."""
        choices = []
        for place, symbol in enumerate(tree):
            above = [s for s in self.grammar.producers.get(symbol.ret, ()) if symbol.ret in s.args]
            if above:
                choices.append((place, above))
        if not choices:
            return None
        place, above = rng.choice(choices)
        symbol = rng.choices(above, [self._weight(s) for s in above])[0]
        kept = rng.choice([i for i, type_ in enumerate(symbol.args) if type_ is tree[place].ret])
        inserted: list[Symbol] = [symbol]
        for position, type_ in enumerate(symbol.args):
            inserted += tree.subtree(place) if position == kept else self._minimal(rng, type_)
        return self._accept(_replace(tree, place, inserted))

    def recombinations(self) -> dict[str, Callable[[random.Random, Tree, Tree], Tree | None]]:
        """Gives every operator with two parents, by the name it has in the run's history."""
        return {"crossover": self.crossover, "join": self.join}

    def mutations(self) -> dict[str, Callable[[random.Random, Tree], Tree | None]]:
        """Gives every operator with one parent, likewise."""
        return {
            "subtree": self.subtree,
            "node": self.node,
            "constant": self.constant,
            "hoist": self.hoist,
            "shrink": self.shrink,
            "insert": self.insert,
        }

    def _accept(self, tree: Tree) -> Tree | None:
        return tree if self.limits.allow(tree) else None

    def _grow(self, rng: random.Random, type_: type, max_depth: int) -> list[Symbol]:
        depth = max(max_depth, self.grammar.minimum_height[type_])
        size = max(self.limits.max_size // 2, self.grammar.minimum_size[type_])
        return random_subtree(rng, self.grammar, type_, depth, size, weights=self.weights)

    def _minimal(self, rng: random.Random, type_: type) -> list[Symbol]:
        height, size = self.grammar.minimum_height[type_], self.grammar.minimum_size[type_]
        return random_subtree(rng, self.grammar, type_, height, size, weights=self.weights)

    def _alternatives(self, symbol: Symbol) -> list[Symbol]:
        if isinstance(symbol, OperationSymbol):
            same = [s for s in self.grammar.producers[symbol.ret] if s.args == symbol.args]
        else:
            same = [] if isinstance(symbol, ConstantSymbol) else self.grammar.terminals.get(symbol.ret, [])
        return [s for s in same if s.name != symbol.name]

    def _weight(self, symbol: Symbol) -> float:
        return self.weights.get(symbol.text, 1.0)


def _positions_by_type(tree: Tree) -> dict[type, list[int]]:
    """Groups the positions below the root by type."""
    positions: dict[type, list[int]] = {}
    for position in range(1, len(tree)):
        positions.setdefault(tree[position].ret, []).append(position)
    return positions


def _balanced_sum(add: Symbol, terms: list[list[Symbol]]) -> list[Symbol]:
    """Gives the sum of terms as a tree of least height."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return [add, *_balanced_sum(add, terms[:half]), *_balanced_sum(add, terms[half:])]


def _replace(tree: Tree, place: int, symbols: list[Symbol]) -> Tree:
    span = tree.searchSubtree(place)
    return Tree([*tree[: span.start], *symbols, *tree[span.stop :]])
