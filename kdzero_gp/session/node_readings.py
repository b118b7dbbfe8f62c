"""What the nodes of the best distillers do to a probe batch, kept with the run so its gallery needs no networks."""

import logging
from collections.abc import Iterable

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.readings import read_nodes, readings_as_data
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.store import JSON
from kdzero_gp.tasks.task import Task

_log = logging.getLogger(__name__)
PROBE = 64
"""Images of the batch, the first of the training split: those that screening looks at."""


def node_readings(found: Iterable[Individual], task: Task) -> dict[str, JSON]:
    """By canonical form, the readings of every node at the student's initialisation, as plain data.

    A distiller that cannot be looked into (an operation of its own that fails here, say) is left out: the readings
    explain a result, and nothing depends on them.
    """
    count = min(PROBE, len(task.data.train))
    images, labels = task.first_images("train", count), task.labels("train")[:count]
    with task.reader(task.student(0).train(), task.student_taps) as reader:
        student = reader(images)
    teacher = task.teacher_probe(task.teacher_taps, count)
    readings: dict[str, JSON] = {}
    for individual in found:
        calibration = individual.evaluation.calibration
        try:
            distiller = Distiller(individual.tree, calibration=calibration, seed=individual.evaluation.seed)
            readings[individual.tree.key] = readings_as_data(read_nodes(distiller, student, teacher, labels))
        except Exception:  # whatever an operation of the user's raises: the run has ended well and stays so
            _log.warning("the nodes of %s cannot be looked at", individual.tree, exc_info=True)
    return readings
