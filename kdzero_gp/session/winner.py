"""Hands the winner over: as data, as a module that runs alone, and as a drawing."""

from pathlib import Path

import torch

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.export import save
from kdzero_gp.distiller.standalone import write_standalone
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.gallery import latex, write_best
from kdzero_gp.session.config import RunConfig
from kdzero_gp.store.run_folder import write_whole
from kdzero_gp.tasks.task import Task

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
        extra={"data": config.data},
    )
    write_standalone(distiller, folder / "best.py")
    source = latex(winner.tree.canonical(), evaluation.calibration)
    write_whole(folder / "best.tex", [source, "\n"], then="try again")
    write_best(folder, winner.tree.canonical(), calibration=evaluation.calibration, aligned=tuple(distiller.aligners))
    return distiller
