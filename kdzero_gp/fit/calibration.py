"""Calibrating a distiller that came without: each term starts with the cross-entropy's gradient norm."""

from __future__ import annotations

from kdzero_gp.catalog.named import Named
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.task import Task

PROBE = 64
"""Images of the probe batch, the first of the training split, as in a search's screening."""


def calibrated(task: Task, named: Named, *, student_seed: int, seed: int) -> tuple[float, ...]:
    """One factor for each term, measured on the student as its training finds it.

    Raises:
        CalibrationError: a term's gradient is zero or not finite.
        ConfigError: the student alone, which has no terms.
    """
    if named.tree is None:
        raise ConfigError(f"{named.name} is the student alone and has no terms to calibrate; leave --calibrate out")
    distiller = Distiller(named.tree, seed=seed)
    student = task.student(student_seed).train()
    names = tuple(dict.fromkeys((*distiller.taps, "logits")))
    images = task.first_images("train", PROBE)
    labels = task.labels("train")[: len(images)]
    teacher = task.teacher_probe(distiller.taps, PROBE)
    with task.reader(student, names) as reader:
        return distiller.calibrate(reader(images), teacher, labels, student.parameters())
