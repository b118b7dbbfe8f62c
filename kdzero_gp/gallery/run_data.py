"""A run as the data of the gallery's page: everything that its script draws, as plain JSON values.

No text in it is markup but the drawings, which are SVG of our own making with every foreign text escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.card import Card, make_card
from kdzero_gp.gallery.chosen import MOST, Chosen, Key, choose, latest_by_key
from kdzero_gp.gallery.formula import formula_svg
from kdzero_gp.gallery.lineage import lineage_svg
from kdzero_gp.gallery.operation_stats import operation_stats
from kdzero_gp.gallery.plain_text import printable
from kdzero_gp.gallery.rows import Recorded, columns, operation_names
from kdzero_gp.gallery.run_view import ARMS, RunView, read_run
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.store import RunStore

BEST = 12
"""Distillers that count as the best of a run."""


@dataclass
class Drawn:
    """Cards and formulas drawn before, so that a live view draws what is new alone.

    Attributes:
        cards: by run folder and key, with what the card depends on beside it.
    """

    cards: dict[tuple[str, Key], tuple[tuple[object, ...], Card]] = field(default_factory=dict)
    formulas: dict[str, str | None] = field(default_factory=dict)


def run_data(
    store: RunStore,
    *,
    best: int = BEST,
    most: int = MOST,
    named: Sequence[Key] = (),
    registry: Mapping[str, Operation] | None = None,
    drawn: Drawn | None = None,
) -> dict[str, Any]:
    """Reads a run and draws the chosen of its distillers.

    Args:
        best: number of the best to be drawn; front, final table and ancestors come on top.
        most: drawings at most.
        named: distillers to be drawn whatever they are worth.
        registry: the operations of the run's distillers, by default all that are registered.
        drawn: kept between calls.

    Raises:
        StoreError: the run cannot be read.
    """
    drawn = drawn or Drawn()
    registry = active_registry() if registry is None else registry
    run = read_run(store, best=best)
    latest = latest_by_key(run.evaluations)
    chosen = choose(run.evaluations, run.best, winner=run.winner, named=[*named, *_finalists(run)], most=most)
    arms = [arm for arm in ARMS if any(p.arm == arm for p, _ in run.evaluations)]
    stats = {arm: [asdict(entry) for entry in operation_stats(latest, arm)] for arm in arms}
    used = sorted({name for p, _ in run.evaluations for name in operation_names(p.canonical) if name in registry})
    return {
        "name": run.name,
        "facts": [[printable(name, limit=60), printable(value, limit=600)] for name, value in run.facts],
        "finished": run.finished,
        "generations": {arm: [asdict(g) for g in found] for arm, found in run.generations.items()},
        "funnel": run.funnel,
        "final": _final(run, latest),
        "winner": _place(chosen.winner),
        "front": [_place(key) for key in chosen.front],
        "rows": columns(run.evaluations),
        "cards": {_place(key): _card(store, run, latest[key], chosen, registry, drawn) for key in chosen.drawn},
        "lineage": _lineage(latest, chosen),
        "statistics": stats,
        "operations": {name: _operation(registry[name], drawn) for name in used},
    }


def _place(key: Key | None) -> str | None:
    return None if key is None else f"{printable(key[0], limit=200)}/{key[1]}"


def _finalists(run: RunView) -> list[Key]:
    """The distillers of the final table, found by their text."""
    texts = {row.tree for row in run.final.rows if row.kind in ("evolved", "random")} if run.final else set()
    first: dict[str, Key] = {}
    for proposal, evaluation in run.evaluations:
        if proposal.tree in texts and evaluation.status == "ok":
            first.setdefault(proposal.tree, (proposal.arm, proposal.number))
    return list(first.values())


def _final(run: RunView, latest: Mapping[Key, Recorded]) -> dict[str, Any] | None:
    if run.final is None:
        return None
    places = {latest[key][0].tree: _place(key) for key in reversed(_finalists(run))}
    rows = [asdict(row) | {"place": places.get(row.tree) if row.tree else None} for row in run.final.rows]
    for row in rows:
        for name in ("name", "kind", "tree"):
            row[name] = None if row[name] is None else printable(row[name], limit=2000)
    return {"rows": rows, "facts": [[name, printable(value, limit=300)] for name, value in run.final.facts]}


def _card(
    store: RunStore,
    run: RunView,
    recorded: Recorded,
    chosen: Chosen,
    registry: Mapping[str, Operation],
    drawn: Drawn,
) -> dict[str, object]:
    proposal, evaluation = recorded
    key = (proposal.arm, proposal.number)
    readings = run.readings.get(proposal.canonical)
    python = key in chosen.leading
    depends = (proposal.tree, evaluation.calibration, run.shapes is None, readings is None, python)
    kept = drawn.cards.get((str(store.folder), key))
    if kept is None or kept[0] != depends:
        card = make_card(
            recorded, pair=run.pair, shapes=run.shapes, registry=registry, readings=readings, python=python
        )
        kept = drawn.cards[str(store.folder), key] = (depends, card)
    return kept[1].data()


def _lineage(latest: Mapping[Key, Recorded], chosen: Chosen) -> dict[str, object] | None:
    if chosen.winner is None:
        return None
    try:
        return {"of": _place(chosen.winner), "drawing": lineage_svg(latest, chosen.winner)}
    except KdzeroError as error:
        return {"of": _place(chosen.winner), "problem": printable(str(error), limit=2000)}


def _operation(operation: Operation, drawn: Drawn) -> dict[str, object]:
    formula = operation.formula
    if formula and formula not in drawn.formulas:
        drawn.formulas[formula] = formula_svg([formula])
    types = dict.fromkeys(
        f"{', '.join(t.__name__ for t in s.inputs)} → {s.output.__name__}" for s in operation.signatures
    )
    return {
        "kind": operation.kind,
        "side": operation.side,
        "doc": printable(operation.doc.partition("\n")[0], limit=400),
        "inputs": [t.__name__ for t in operation.signatures[0].inputs] if operation.signatures else [],
        "types": list(types),
        "latex": printable(formula, limit=400),
        "formula": drawn.formulas.get(formula),
    }
