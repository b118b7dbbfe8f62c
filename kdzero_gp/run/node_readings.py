"""What the nodes of distillers do to a probe batch: of the best ones, kept with the run; of any, where one asks."""

import logging
from collections.abc import Iterable

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.readings import read_nodes
from kdzero_gp.drawing.reading import Reading, readings_as_data
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import JSON, Evaluation
from kdzero_gp.tasks.task import Task

_log = logging.getLogger(__name__)
PROBE = 64
"""Images of the batch, the first of the training split: those that screening looks at."""


class NodeProbe:
    """The probe batch as a task's student at its initialisation and its teacher know it."""

    def __init__(self, task: Task) -> None:
        count = min(PROBE, len(task.data.train))
        images = task.first_images("train", count)
        self.targets = task.targets("train")[:count]
        with task.reader(task.student(0).train(), task.student_taps) as reader:
            self.student = reader(images)
        self.teacher = task.teacher_probe(task.teacher_taps, count)

    def __call__(self, tree: Tree, evaluation: Evaluation) -> dict[str, Reading]:
        """Reads a distiller's nodes by their text, with its calibration where it has one.

        Raises:
            KdzeroError: it cannot be computed on this batch.
        """
        distiller = Distiller(tree, calibration=evaluation.calibration or None, seed=evaluation.seed)
        return read_nodes(distiller, self.student, self.teacher, self.targets)


def node_readings(found: Iterable[Individual], task: Task) -> dict[str, JSON]:
    """Collects the readings of every node at the student's initialisation, by canonical form, as plain data.

    A distiller that cannot be looked into (an operation of its own that fails here, say) is left out: the readings
    explain a result, and nothing depends on them.
    """
    probe = NodeProbe(task)
    readings: dict[str, JSON] = {}
    for individual in found:
        try:
            readings[individual.tree.key] = readings_as_data(probe(individual.tree, individual.evaluation))
        except Exception:  # whatever an operation of the user's raises: the run has ended well and stays so
            _log.warning("the nodes of %s cannot be looked at", individual.tree, exc_info=True)
    return readings
