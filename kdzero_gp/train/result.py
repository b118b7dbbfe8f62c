"""What a final training leaves: what the student is worth on the test split, its weights and a record of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.methods.added import AddedTree
from kdzero_gp.provenance import hardware, versions
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.files import RESULT_NAME, write_json, write_student
from kdzero_gp.train.job import Fit
from kdzero_gp.train.record import EpochLog, FitResult


def ended(
    job: Fit, training: ShardedTraining, log: Sequence[EpochLog], folder: Path | None, about: dict[str, str]
) -> FitResult:
    """Measures the student of the last epoch and writes `student.safetensors` and `result.json` into the folder."""
    student = training.student.eval()
    kind = job.task.kind
    found = kind.measures(job.task, student, "test")
    measured = {measure.record: found.get(measure.key) for measure in (kind.quality, *kind.further)}
    distiller = training.distiller.distiller if isinstance(training.distiller, AddedTree) else training.distiller
    factors = tuple(distiller.calibration.tolist()) if isinstance(distiller, Distiller) else None
    seconds = sum(row.seconds for row in log)
    result = FitResult(student, measured, tuple(log), factors, folder, seconds, kind)
    if folder is not None:
        _write(job, result, folder, about)
    return result


def _write(job: Fit, result: FitResult, folder: Path, about: dict[str, str]) -> None:
    made_by = versions()
    tree = None if job.named.tree is None else str(job.named.tree)
    header = {
        **about,
        "input": json.dumps(_input(job.task)),
        "distiller": job.named.module or tree or "none",
        "seed": str(job.seed),
        "epochs": str(len(result.log)),
        result.kind.quality.key: f"{result.quality:.6f}",
        "versions": json.dumps(made_by),
    }
    write_student(folder, result.student.state_dict(), header)
    last = result.log[-1]
    record = {
        "epoch": "last",
        "split": "test",
        **result.measured,
        **about,
        "input": _input(job.task),
        "distiller": job.named.name,
        "tree": tree,
        "calibration": result.calibration,
        "seed": job.seed,
        "epochs": last.epoch,
        "images": len(job.task.data.train),
        "loss": last.loss,
        "terms": dict(last.terms),
        "val_accuracy": last.val_accuracy,
        "recipe": asdict(job.recipe) | {"clip": str(job.recipe.clip), "ce_weight": job.named.ce_weight},
        "seconds": result.seconds,
        "hardware": hardware(str(job.task.device)),
        "versions": made_by,
    }
    write_json(folder / RESULT_NAME, record)


def _input(task: Task) -> dict[str, Any]:
    """Tells what to show the student, which its weights do not tell: `(pixels / scale - mean) / std` in this shape."""
    wanted = task.student_input
    return {"shape": wanted.shape, "scale": task.data.scale, "mean": wanted.mean, "std": wanted.std}
