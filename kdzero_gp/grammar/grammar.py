"""The grammar of one search: which operations and taps it may use, and what each type costs to complete."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from deap import gp

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.registry import TAP, Registry, active_registry
from kdzero_gp.grammar.symbols import ConstantSymbol, OperationSymbol, TapSymbol
from kdzero_gp.grammar.types import CONSTANTS, Logits, Loss, Map, Vector

POOL, SCORES = "pool", "logits"
"""Names of the penultimate vector and of the class scores in the text form; sample weightings read the latter."""


def usual_taps(stages: Iterable[str]) -> dict[str, type]:
    """Gives the taps of a network that ends in class scores: its feature maps, the penultimate vector, the scores."""
    return {**dict.fromkeys(stages, Map), POOL: Vector, SCORES: Logits}


DEFAULT_TAPS = usual_taps(("stage1", "stage2", "stage3"))


class Grammar(gp.PrimitiveSetTyped):
    """DEAP's typed primitive set over a registry's operations and a task's taps.

    Args:
        registry: the operations.
        taps: with their types.
        extended: whether operations beyond Table 1 are drawn.
        exclusive: whether classes exclude one another, an image having exactly one of them; where they do not,
            operations that take class scores as one distribution are left out, see `Operation.classes`.

    Attributes:
        minimum_height: by type, the height of the lowest complete subtree that gives it; a generator that knows it
            never meets a dead end, as DEAP's does on a type without a terminal.
        minimum_size: by type, the size of the smallest complete subtree.
        producers: by type, the operations that give it and can be completed.
        menus: what a generator remembers of this grammar.
    """

    def __init__(
        self,
        registry: Mapping[str, Operation],
        taps: Mapping[str, type],
        *,
        extended: bool = False,
        exclusive: bool = True,
    ) -> None:
        super().__init__("distiller", [], Loss)
        drawn = {name: o for name, o in registry.items() if o.drawn(extended=extended, exclusive=exclusive)}
        typings = {name: o.typings(exclusive=exclusive) for name, o in drawn.items()}
        self.operations = {name: operation for name, operation in drawn.items() if typings[name]}
        self.taps = dict(taps)
        for name, operation in self.operations.items():
            for signature in typings[name]:
                self._add(OperationSymbol(operation, signature))
                self.prims_count += 1
        for tap, type_ in taps.items():
            self._add(TapSymbol(tap, type_))
            self.terms_count += 1
        for type_, values in CONSTANTS.items():
            for value in values:
                # DEAP keys its mapping by name, and 1 names both a Value and a Tau: the lists by type are what we use
                self._add(ConstantSymbol(value, type_))
                self.terms_count += 1
        self.minimum_height = self._completion_cost(terminal=0, combine=max)
        self.minimum_size = self._completion_cost(terminal=1, combine=sum)
        self.producers: dict[type, list[OperationSymbol]] = {
            type_: [s for s in symbols if all(a in self.minimum_height for a in s.args)]
            for type_, symbols in self.primitives.items()
        }
        self.menus: dict[tuple[type, int, int], Any] = {}
        if Loss not in self.minimum_height:
            raise ConfigError(
                f"no distiller can be formed from the taps {sorted(taps) or 'none'} with {len(self.operations)} "
                "operations; add a tap, a transform or a distance that leads from a tap to a Loss"
            )

    def _completion_cost(self, terminal: int, combine: Callable[[list[int]], int]) -> dict[type, int]:
        """Gives the least cost of a complete subtree of each type, where an operation costs 1 + combine(arguments)."""
        cost = {type_: terminal for type_, symbols in self.terminals.items() if symbols}
        changed = True
        while changed:
            changed = False
            for type_, symbols in self.primitives.items():
                options = [1 + combine([cost[a] for a in s.args]) for s in symbols if all(a in cost for a in s.args)]
                if options and min(options) < cost.get(type_, min(options) + 1):
                    cost[type_] = min(options)
                    changed = True
        return cost


def tap_type(name: str) -> type | None:
    """Gives the type of a tap by its name, for text that is read without a task at hand."""
    if not TAP.fullmatch(name):
        return None
    return {POOL: Vector, SCORES: Logits}.get(name, Map)


@lru_cache(maxsize=8)
def _cached(registry: Registry, version: int, extended: bool) -> Grammar:
    return Grammar(registry, DEFAULT_TAPS, extended=extended)


def default_grammar(*, extended: bool = False) -> Grammar:
    """Gives the grammar over the active registry and the usual taps, renewed when the registry has changed."""
    registry = active_registry()
    return _cached(registry, registry.version, extended)
