"""The networks of trainings put together again: their pair's task, the students with their weights, the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.models import load_weights
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.pair.stored import options_here
from kdzero_gp.plot.training_folders import Training, require_same_pair
from kdzero_gp.tasks.classification.measures import measure
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.config import make_fit_config

APART = 0.01
"""How far a student's test accuracy may be from the stored one: another device moves it by less."""
TEACHER = "teacher"


@dataclass(frozen=True)
class Network:
    """A network of the pair, and what it makes of the whole test split.

    Attributes:
        model: in evaluation mode, without gradients.
        test: `logits` (N, K), and `pool` (N, D) where the pair has it.
        accuracy: on the test split, 0 … 1.
    """

    label: str
    model: nn.Module
    test: Knowledge
    accuracy: float

    @property
    def title(self) -> str:
        """Label and accuracy."""
        return f"{self.label} ({100 * self.accuracy:.1f} %)"


@dataclass(frozen=True)
class Pair:
    """A task with its trained students; the teacher stands apart."""

    task: Task
    students: Sequence[Network]
    teacher: Network


def pair_config(trainings: Sequence[Training], **chosen: Any) -> PairConfig:
    """Makes the configuration of the trainings' pair.

    Args:
        chosen: of `StoredPairOptions`, by name, in place of the stored ones; None where they are not given.

    Raises:
        ConfigError: the trainings are of different pairs, or name code that the user has not named.
    """
    require_same_pair(trainings)
    first = trainings[0]
    options = options_here(str(first.folder), first.options, chosen)
    try:
        return make_fit_config(**options)
    except ConfigError as error:
        raise ConfigError(f"{first.folder}/config.json: {error}") from None


def load_pair(trainings: Sequence[Training], config: PairConfig) -> Pair:
    """Builds the task, loads the students and runs all networks on the test split.

    Args:
        config: from `pair_config`.

    Raises:
        KdzeroError: the data, the teacher or a student's weights are missing or do not fit.
    """
    results = [training.result() for training in trainings]
    task = make_task(config)
    students = []
    for training, label, result in zip(trainings, labels_of(trainings), results, strict=True):
        model = task.student(0).requires_grad_(False)
        load_weights(model, training.student_file)
        student = _network(task, label, model, measure(task, model, "test"))
        if abs(student.accuracy - result.top1) > APART:
            raise ConfigError(
                f"the student in {training.folder} has {100 * student.accuracy:.2f} % on the test images, and had "
                f"{100 * result.top1:.2f} % when it was trained: these are other data or other weights; name the right "
                "ones, by --data for instance"
            )
        students.append(student)
    names = [name for name in ("pool", "logits") if name in task.teacher_taps]
    teacher = _network(task, TEACHER, task.teacher, task.teacher_knowledge("test", names))
    return Pair(task, students, teacher)


def labels_of(trainings: Sequence[Training]) -> list[str]:
    """Lists the trainings' labels; where one stands for several, with the seed."""
    labels = [training.label for training in trainings]
    seeded = [
        f"{label}, seed {training.config.seed}" if labels.count(label) > 1 else label
        for label, training in zip(labels, trainings, strict=True)
    ]
    if len(set(seeded)) < len(seeded):
        twice = next(label for label in seeded if seeded.count(label) > 1)
        raise ConfigError(f"two trainings are called '{twice}'; tell them apart by labels: LABEL=FOLDER")
    return seeded


def _network(task: Task, label: str, model: nn.Module, test: Knowledge) -> Network:
    right = test["logits"].argmax(1) == task.labels("test")
    return Network(label, model.eval(), test, float(right.double().mean()))
