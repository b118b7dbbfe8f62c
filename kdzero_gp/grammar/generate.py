"""Random trees, valid by construction."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.symbols import OperationSymbol, Symbol
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Loss, PerSample

Method = Literal["grow", "full", "half"]

STOP = 0.35
"""Chance that a growing branch ends at a tap where it may, so that chains of transforms stay readable."""
WRAP = 0.25
"""Chance that a term is given one more sample weighting or summand rather than its distance."""
IDENTITY = 0.1
"""Sampling weight of an operation that changes nothing, against 1 for the others: it mostly makes duplicates."""


def random_tree(
    rng: random.Random | np.random.Generator | int,
    *,
    max_depth: int = 7,
    max_size: int = 30,
    method: Method = "half",
    grammar: Grammar | None = None,
    weights: Mapping[str, float] | None = None,
) -> Tree:
    """Draws a valid tree.

    Args:
        rng: the generator that is drawn from, or a seed.
        max_depth: greatest height, counted in edges from the root.
        max_size: greatest number of nodes, constants included.
        method: `full` lets branches end only where the depth is used up, `grow` anywhere, `half` tosses a coin
            (Koza's ramped start).
        grammar: operations and taps to draw from, by default Table 1 and stage1 … stage3, pool, logits.
        weights: relative sampling weight of operations by name, 1 where not given.

    Raises:
        ConfigError: the limits allow no tree at all.
    """
    grammar = grammar or default_grammar()
    rng = as_random(rng)
    least = grammar.minimum_height[Loss], grammar.minimum_size[Loss]
    if max_depth < least[0] or max_size < least[1]:
        raise ConfigError(
            f"max_depth={max_depth}, max_size={max_size} allow no distiller: the smallest one needs "
            f"max_depth >= {least[0]} and max_size >= {least[1]}"
        )
    full = method == "full" or (method == "half" and rng.random() < 0.5)
    return Tree(random_subtree(rng, grammar, Loss, max_depth, max_size, full=full, weights=weights or {}))


def random_subtree(
    rng: random.Random,
    grammar: Grammar,
    type_: type,
    max_depth: int,
    max_size: int,
    *,
    full: bool = False,
    weights: Mapping[str, float],
) -> list[Symbol]:
    """Draws the symbols of a subtree of one type within the limits, which must allow one."""
    terminals: list[Symbol] = grammar.terminals.get(type_, [])
    menu = _menu(grammar, type_, max_depth, max_size)
    if terminals and (menu.only_identities or (not full and rng.random() < STOP)):
        return [rng.choice(terminals)]
    symbol = menu.draw(rng, weights)
    result: list[Symbol] = [symbol]
    spare = max_size - _size(grammar, symbol)
    # arguments are filled in a random order, so that no side of a sum gets all the spare size
    order = list(range(symbol.arity))
    rng.shuffle(order)
    parts: dict[int, list[Symbol]] = {}
    for position in order:
        argument = symbol.args[position]
        least = grammar.minimum_size[argument]
        parts[position] = random_subtree(
            rng, grammar, argument, max_depth - 1, least + spare, full=full, weights=weights
        )
        spare -= len(parts[position]) - least
    for position in range(symbol.arity):
        result += parts[position]
    return result


def as_random(rng: random.Random | np.random.Generator | int) -> random.Random:
    """Converts any usual source of randomness to the standard library's, which DEAP expects."""
    if isinstance(rng, random.Random):
        return rng
    if isinstance(rng, np.random.Generator):
        return random.Random(int(rng.integers(2**63)))
    return random.Random(rng)


@dataclass(frozen=True)
class Menu:
    """The operations that may stand at one place of a tree.

    Attributes:
        by_name: typings by the operation's name: an operation is drawn first, then one of its typings, so that
            overloads do not multiply its chance.
        nested, ends: the names that hold a further argument of the type they give, and those that do not.
        only_identities: nothing else is left, or nothing at all.
    """

    by_name: dict[str, list[OperationSymbol]]
    nested: list[str]
    ends: list[str]
    only_identities: bool

    def draw(self, rng: random.Random, weights: Mapping[str, float]) -> OperationSymbol:
        """Draws an operation by its sampling weight."""
        names = list(self.by_name)
        if self.nested and self.ends:  # without a bias, trees of such a type would run to the limit
            names = self.nested if rng.random() < WRAP else self.ends
        chances = [weights.get(n, 1.0) * (IDENTITY if self.by_name[n][0].operation.identity else 1.0) for n in names]
        return rng.choice(self.by_name[rng.choices(names, chances)[0]])


def _menu(grammar: Grammar, type_: type, max_depth: int, max_size: int) -> Menu:
    """Gives the menu of a type within limits, which the grammar remembers."""
    key = (type_, max_depth, max_size)
    menu = grammar.menus.get(key)
    if menu is None:
        by_name: dict[str, list[OperationSymbol]] = {}
        for symbol in grammar.producers.get(type_, ()):
            if _height(grammar, symbol) <= max_depth and _size(grammar, symbol) <= max_size:
                by_name.setdefault(symbol.operation.name, []).append(symbol)
        biased = type_ in (Loss, PerSample)
        nested = [n for n in by_name if biased and any(type_ in s.args for s in by_name[n])]
        ends = [n for n in by_name if biased and n not in nested]
        identities = all(symbols[0].operation.identity for symbols in by_name.values())
        menu = grammar.menus[key] = Menu(by_name, nested, ends, identities)
    return menu


def _height(grammar: Grammar, symbol: OperationSymbol) -> int:
    return 1 + max(grammar.minimum_height[a] for a in symbol.args)


def _size(grammar: Grammar, symbol: OperationSymbol) -> int:
    return 1 + sum(grammar.minimum_size[a] for a in symbol.args)
