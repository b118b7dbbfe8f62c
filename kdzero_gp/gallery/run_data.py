"""The data of the gallery's page, as plain JSON values.

No text in it is markup but the drawings, which are SVG of our own making with every foreign text escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.errors import KdzeroError
from kdzero_gp.gallery.card_maker import CardMaker, Progress, Wanted
from kdzero_gp.gallery.chosen import MOST, Chosen, Key, choose, latest_by_key
from kdzero_gp.gallery.final_table import column_data, row_data
from kdzero_gp.gallery.json_block import packed
from kdzero_gp.gallery.lineage import lineage_svg
from kdzero_gp.gallery.operation_stats import operation_stats
from kdzero_gp.gallery.rows import Recorded, columns, operation_names
from kdzero_gp.gallery.run_view import ARMS, RunView
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.types import Constant
from kdzero_gp.untrusted import printable


def run_data(
    run: RunView,
    cards: CardMaker,
    *,
    registry: Mapping[str, Operation],
    most: int = MOST,
    named: Sequence[Key] = (),
    python: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Makes the page's data, with drawings of the chosen distillers.

    Args:
        run: from `read_run`.
        cards: draws them.
        registry: the operations of the run's distillers.
        most: drawings at most, the most important ones first.
        named: distillers to be drawn whatever they are worth.
        python: whether every drawn distiller has its Python source, rather than the leading ones.
        progress: follows the drawing.
    """
    latest = latest_by_key(run.evaluations)
    chosen = choose(run.evaluations, run.best, winner=run.winner, named=[*named, *_finalists(run)], most=most)
    arms = [arm for arm in ARMS if any(p.arm == arm for p, _ in run.evaluations)]
    stats = {arm: [asdict(entry) for entry in operation_stats(latest, arm)] for arm in arms}
    used = sorted({name for p, _ in run.evaluations for name in operation_names(p.canonical) if name in registry})
    wanted = [Wanted(latest[key], python or key in chosen.leading) for key in chosen.drawn]
    made = zip(chosen.drawn, cards.many(run, wanted, progress), strict=True)
    drawn = {place_of(key): card.data() for key, card in made}
    winner = place_of(chosen.winner) if chosen.winner else None
    return {
        "name": run.name,
        "facts": [[printable(name, limit=60), printable(value, limit=600)] for name, value in run.facts],
        "finished": run.finished,
        "generations": {arm: [asdict(g) for g in found] for arm, found in run.generations.items()},
        "funnel": run.funnel,
        "final": _final(run, latest),
        "quality": run.kind.quality.name,
        "winner": winner,
        "front": [place_of(key) for key in chosen.front],
        "rows": columns(run.evaluations),
        "cards": {place: card for place, card in drawn.items() if place == winner},
        "packed": packed({place: card for place, card in drawn.items() if place != winner}),
        "drawn": len(drawn),
        "distillers": len(latest),
        "lineage": _lineage(latest, chosen),
        "statistics": stats,
        "operations": {name: _operation(registry[name]) for name in used},
    }


def place_of(key: Key) -> str:
    """Gives the page's name of a distiller."""
    return f"{printable(key[0], limit=200)}/{key[1]}"


def _finalists(run: RunView) -> list[Key]:
    """Finds the distillers of the final table by their text."""
    texts = {row.tree for row in run.final.rows if row.kind in ("evolved", "random")} if run.final else set()
    first: dict[str, Key] = {}
    for proposal, evaluation in run.evaluations:
        if proposal.tree in texts and evaluation.status == "ok":
            first.setdefault(proposal.tree, (proposal.arm, proposal.number))
    return list(first.values())


def _final(run: RunView, latest: Mapping[Key, Recorded]) -> dict[str, Any] | None:
    if run.final is None:
        return None
    places = {latest[key][0].tree: place_of(key) for key in reversed(_finalists(run))}
    rows = [row_data(row, run.kind) | {"place": places.get(row.tree) if row.tree else None} for row in run.final.rows]
    facts = [[name, printable(value, limit=300)] for name, value in run.final.facts]
    return {"columns": column_data(run.kind, run.final.rows), "rows": rows, "facts": facts}


def _lineage(latest: Mapping[Key, Recorded], chosen: Chosen) -> dict[str, object] | None:
    if chosen.winner is None:
        return None
    try:
        return {"of": place_of(chosen.winner), "drawing": lineage_svg(latest, chosen.winner)}
    except KdzeroError as error:
        return {"of": place_of(chosen.winner), "problem": printable(str(error), limit=2000)}


@lru_cache(maxsize=1024)
def _formula(latex: str) -> str | None:
    return formula_svg([latex]) if latex else None


def _operation(operation: Operation) -> dict[str, object]:
    inputs = operation.signatures[0].inputs if operation.signatures else ()
    types = dict.fromkeys(
        f"{', '.join(t.__name__ for t in s.inputs)} → {s.output.__name__}" for s in operation.signatures
    )
    return {
        "kind": operation.kind,
        "side": operation.side,
        "doc": printable(operation.doc.partition("\n")[0], limit=400),
        "inputs": [t.__name__ for t in inputs],
        "signs": [t.sign if issubclass(t, Constant) else "" for t in inputs],
        "types": list(types),
        "latex": printable(operation.formula, limit=400),
        "formula": _formula(operation.formula),
    }
