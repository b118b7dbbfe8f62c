"""The networks of trainings put together again: their pair's task, the students with their weights, the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.models import load_weights
from kdzero_gp.models.user import require_named_networks
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.plot.training_folders import Training, require_same_pair
from kdzero_gp.run.config import RunConfig
from kdzero_gp.tasks.class_scores import FEATURES
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.whole_split import knowledge_of
from kdzero_gp.train.config import make_fit_config

APART = 0.01
"""How far a student's quality on the test split may be from the stored one: another device moves it by less."""
TEACHER = "teacher"


@dataclass(frozen=True)
class Network:
    """A network of the pair, and what it makes of the whole test split.

    Attributes:
        model: in evaluation mode, without gradients.
        test: class scores (N, K), and penultimate features (N, D) where the pair has them.
        quality: on the test split, 0 … 1, what the kind of task ranks students by.
    """

    label: str
    model: nn.Module
    test: Knowledge
    quality: float

    @property
    def title(self) -> str:
        """Label and quality."""
        return f"{self.label} ({100 * self.quality:.1f} %)"


@dataclass(frozen=True)
class Pair:
    """A task with its trained students; the teacher stands apart."""

    task: Task
    students: Sequence[Network]
    teacher: Network


def pair_config(trainings: Sequence[Training], **chosen: Any) -> RunConfig:
    """The configuration of the trainings' pair.

    Args:
        chosen: `teacher`, `student`, `teacher_weights`, `data`, `device` and `threads` in place of the stored ones,
            which may be of another machine; None where they are not given.

    Raises:
        ConfigError: the trainings are of different pairs, or name code that the user has not named.
    """
    require_same_pair(trainings)
    given = {name: value for name, value in chosen.items() if value is not None}
    first = trainings[0]
    stored = first.options | {"device": "cpu"}
    require_named_networks(str(first.folder), stored, given)
    try:
        return make_fit_config(**(stored | given)).pair
    except ConfigError as error:
        raise ConfigError(f"{first.folder}/config.json: {error}") from None


def load_pair(trainings: Sequence[Training], config: RunConfig) -> Pair:
    """Builds the task, loads the students and runs all networks on the test split.

    Args:
        config: from `pair_config`.

    Raises:
        KdzeroError: the data, the teacher or a student's weights are missing or do not fit.
    """
    results = [training.result() for training in trainings]
    task = make_task(config)
    quality = task.kind.quality.key
    students = []
    for training, label, result in zip(trainings, labels_of(trainings), results, strict=True):
        model = task.student(0).requires_grad_(False)
        load_weights(model, training.student_file)
        known, reached = knowledge_of(task, model, "test", FEATURES), task.kind.measures(task, model, "test")
        student = Network(label, model.eval(), known, reached[quality])
        if abs(student.quality - result.quality) > APART:
            raise ConfigError(
                f"the student in {training.folder} has {100 * student.quality:.2f} % on the test images, and had "
                f"{100 * result.quality:.2f} % when it was trained: these are other data or other weights; name the "
                "right ones, by --data for instance"
            )
        students.append(student)
    names = [name for name in FEATURES if name in task.teacher_taps]
    known, reached = task.teacher_knowledge("test", names), task.kind.teacher_measures(task, "test")
    return Pair(task, students, Network(TEACHER, task.teacher.eval(), known, reached[quality]))


def labels_of(trainings: Sequence[Training]) -> list[str]:
    """Their labels; where one stands for several, with the seed."""
    labels = [training.label for training in trainings]
    seeded = [
        f"{label}, seed {training.config.seed}" if labels.count(label) > 1 else label
        for label, training in zip(labels, trainings, strict=True)
    ]
    if len(set(seeded)) < len(seeded):
        twice = next(label for label in seeded if seeded.count(label) > 1)
        raise ConfigError(f"two trainings are called '{twice}'; tell them apart by labels: LABEL=FOLDER")
    return seeded


def require_one_class(trainings: Sequence[Training], figure: str) -> None:
    """Sees that every image has exactly one class.

    Raises:
        ConfigError: an image may have several.
    """
    kind = trainings[0].task_kind
    if not kind.exclusive:
        raise ConfigError(
            f"{figure} shows images by their class, but with --task {kind.name} an image may have several; take "
            "curves, correlation or capacity"
        )
