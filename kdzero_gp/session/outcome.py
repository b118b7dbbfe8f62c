"""What a run found, and how it is read again from the folder of a finished one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.export import load
from kdzero_gp.evolve.final import Row
from kdzero_gp.evolve.individual import Individual, individual, place
from kdzero_gp.grammar.parse import parse
from kdzero_gp.session.assemble import load_primitives
from kdzero_gp.session.config import RunConfig
from kdzero_gp.store import RunStore

FINISHED = "finished"
"""Name of the stored result that is written last of all: whatever a run leaves behind is there."""


@dataclass(frozen=True)
class SearchResult:
    """What a run found.

    Attributes:
        folder: the run folder.
        best: the winner with its calibration, the best by validation after full trainings; None if all failed.
        individuals: everything trained with success by the main arm, best first.
        table: rows of the final table by falling mean test accuracy.
    """

    folder: Path
    best: Distiller | None
    individuals: Sequence[Individual]
    table: Sequence[Row]

    def _repr_html_(self) -> str:
        """Table and winner, for notebooks."""
        from kdzero_gp.gallery.notebook import result_html  # only here: drawing is slow to import

        return result_html(self.folder, self.best, self.table)


def stored_result(store: RunStore, config: RunConfig) -> SearchResult | None:
    """The result of a finished run from its folder, which is only read; None where the run has not finished."""
    if not store.result(FINISHED):
        return None
    load_primitives(config)
    with_size = config.selection == "nsga2"
    highest = {  # a later rung of the same number comes later and takes its place
        proposal.number: individual(parse(proposal.tree), proposal, evaluation, with_size=with_size)
        for proposal, evaluation in store.evaluations(config.algorithm)
        if evaluation.status == "ok"
    }
    found = sorted(highest.values(), key=place)
    winner = store.folder / "best.json"
    best = load(winner) if winner.exists() else None
    return SearchResult(store.folder, best, found, [_row(row) for row in store.result("final")["rows"]])


def _row(stored: dict[str, Any]) -> Row:
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    return Row(**(stored | lists))
