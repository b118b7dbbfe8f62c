"""What a run found, and how it is read again from the folder of a finished one."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.drawing.best import write_best
from kdzero_gp.drawing.latex import latex
from kdzero_gp.evolve.final import Row
from kdzero_gp.evolve.individual import Individual, best_first
from kdzero_gp.evolve.selection import SELECTIONS
from kdzero_gp.export.distiller_file import load, save
from kdzero_gp.export.module import write_standalone
from kdzero_gp.pair.assemble import load_primitives
from kdzero_gp.provenance import hardware, versions
from kdzero_gp.run.config import RunConfig
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.task import Task
from kdzero_gp.whole_file import write_whole

FINISHED = "finished"
"""Name of the stored result that is written last of all: whatever a run leaves behind is there."""


@dataclass(frozen=True)
class SearchResult:
    """What a run found.

    Attributes:
        folder: the run folder.
        best: the winner with its calibration, the best by validation after full trainings; None if all failed.
        individuals: everything trained with success by the main arm, best first.
        table: rows of the final table by falling mean on the test split.
        kind: of the task, which says what the table's numbers are.
    """

    folder: Path
    best: Distiller | None
    individuals: Sequence[Individual]
    table: Sequence[Row]
    kind: TaskKind = field(default_factory=kind_of)

    def _repr_html_(self) -> str:
        """Table and winner, for notebooks."""
        from kdzero_gp.gallery.notebook import result_html  # only here: drawing is slow to import

        return result_html(self.folder, self.best, self.table, self.kind)


def stored_result(store: RunStore, config: RunConfig) -> SearchResult | None:
    """Gives the result of a finished run from its folder, which is only read; None where the run has not finished."""
    if not store.result(FINISHED):
        return None
    load_primitives(config)
    selection = SELECTIONS.require(config.selection)
    highest = {  # a later rung of the same number comes later and takes its place
        proposal.number: Individual.of(proposal, evaluation, selection)
        for proposal, evaluation in store.evaluations(config.algorithm)
        if evaluation.status == "ok"
    }
    found = sorted(highest.values(), key=best_first)
    winner = store.folder / "best.json"
    best = load(winner) if winner.exists() else None
    rows = [_row(row) for row in store.result("final")["rows"]]
    return SearchResult(store.folder, best, found, rows, kind_of(config.task))


def _row(stored: dict[str, Any]) -> Row:
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    return Row(**(stored | lists))


def run_summary(config: RunConfig, task: Task) -> dict[str, Any]:
    """Gives the facts of a run as plain data."""
    return {
        "pair": config.pair,
        "data": config.data,
        "seed": config.seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hardware": hardware(config.device),
        "versions": versions(),
        "teacher_accuracy": task.kind.teacher_measures(task, "test")[task.kind.quality.key],
        "shapes": {
            side: {name: [2, *tap.shape] for name, tap in taps.items()}
            for side, taps in (("student", task.student_taps), ("teacher", task.teacher_taps))
        },
        "budget": config.pop * (config.gens + 1),
    }


PROBE = 8
"""How many images show the shapes of both sides."""


def export_winner(winner: Individual, config: RunConfig, task: Task, folder: Path) -> Distiller:
    """Writes `best` as `.json`, `.py`, `.tex`, `.gv`, `.svg` and `.png`; returns the distiller, calibrated."""
    evaluation = winner.evaluation
    distiller = Distiller(winner.tree, calibration=evaluation.calibration, seed=evaluation.seed)
    with torch.no_grad(), task.reader(task.student(0).eval(), task.student_taps) as reader:
        student = reader(task.first_images("train", PROBE))
    teacher = task.teacher_probe(task.teacher_taps, PROBE)
    distiller.prepare(student, teacher)
    save(
        distiller,
        folder / "best.json",
        teacher=config.teacher,
        student=config.student,
        fitness=evaluation.fitness,
        parts=evaluation.parts,
        extra={"data": config.data} | ({} if config.base is None else {"base": config.base}),
    )
    write_standalone(distiller, folder / "best.py")
    source = latex(winner.tree.canonical(), evaluation.calibration)
    write_whole(folder / "best.tex", [source, "\n"], then="try again")
    write_best(folder, winner.tree.canonical(), calibration=evaluation.calibration, aligned=tuple(distiller.aligners))
    return distiller
