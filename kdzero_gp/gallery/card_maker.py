"""Makes the cards of a run's distillers, one at a time or many at once."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kdzero_gp.drawing.reading import Reading
from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.card import Card, make_card
from kdzero_gp.gallery.forked import forked_map
from kdzero_gp.gallery.rows import Recorded
from kdzero_gp.gallery.run_view import RunView
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import Evaluation
from kdzero_gp.untrusted import printable

Probe = Callable[[Tree, Evaluation], Mapping[str, Reading]]
"""Measures the nodes of a distiller, given in canonical form with its evaluation."""
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""
_log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A card to be made, with its Python source or without."""

    recorded: Recorded
    python: bool


class _Measured(NamedTuple):
    readings: Mapping[str, Reading] | None
    unread: str | None


class CardMaker:
    """Makes cards from a run's store and, with a probe, from a probe batch.

    Args:
        registry: the operations of the run's distillers.
        probe: measures the nodes of distillers whose readings the run has not kept.
    """

    def __init__(self, registry: Mapping[str, Operation], probe: Probe | None = None) -> None:
        self._registry = registry
        self._probe = probe

    def one(self, run: RunView, wanted: Wanted) -> Card:
        """Makes one card."""
        return self._drawn(run, wanted, self._measured(run, wanted.recorded))

    def many(self, run: RunView, wanted: Sequence[Wanted], progress: Progress | None = None) -> Iterator[Card]:
        """Makes cards in the given order, in several processes where possible."""
        tell = progress or (lambda what, done, total: None)
        measured = []
        for each in wanted:
            measured.append(self._measured(run, each.recorded))
            if self._probe is not None:
                tell("distillers measured", len(measured), len(wanted))
        cards = forked_map(lambda both: self._drawn(run, *both), list(zip(wanted, measured, strict=True)))
        for done, card in enumerate(cards, start=1):
            yield card
            tell("distillers drawn", done, len(wanted))

    def _drawn(self, run: RunView, wanted: Wanted, measured: _Measured) -> Card:
        return make_card(
            wanted.recorded,
            pair=run.pair,
            shapes=run.shapes,
            registry=self._registry,
            readings=measured.readings,
            unread=measured.unread,
            python=wanted.python,
        )

    def _measured(self, run: RunView, recorded: Recorded) -> _Measured:
        proposal, evaluation = recorded
        if kept := run.readings.get(proposal.canonical):
            return _Measured(kept, None)
        if self._probe is None:
            return _Measured(None, None)
        if reason := _unfit(evaluation):
            return _Measured(None, f"Its nodes were not measured: {reason}.")
        try:
            tree = parse(proposal.tree, registry=self._registry).canonical()
            return _Measured(self._probe(tree, evaluation), None)
        except KdzeroError as error:
            reason = str(error)
        except Exception as error:  # an operation of the user's may raise anything; the others are still measured
            _log.warning("the nodes of %s cannot be measured", proposal.tree, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
        return _Measured(None, printable(f"Its nodes could not be measured: {reason}", limit=1000))


def _unfit(evaluation: Evaluation) -> str | None:
    """Tells why a distiller should not be computed again."""
    if evaluation.stage == "too_expensive":
        return "the run turned it down because it takes too much computation"
    if evaluation.status not in ("ok", "rejected", "nan"):
        return f"its evaluation ended with {printable(evaluation.status, limit=60)}"
    return None
