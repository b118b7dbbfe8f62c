"""What the paper's figures are drawn of: pairs, recipes and methods of each setting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cifar100.settings import REDUCED, TEACHER_NORM
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import read_result

EVOLVED = "evolved"
"""Label of the evolved distiller."""
ALONE = "none"
"""The student alone, as methods go by name."""


@dataclass(frozen=True)
class Teacher:
    """One teacher of the student.

    Attributes:
        options: its weights and normalisation, as `train` and `compare` take them.
        training: options by which it is trained here, without a teacher of its own; None where it has weights, or the
            program trains it by itself.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """One setting.

    Attributes:
        name: of the result, and of the script that makes it.
        teachers: those of `capacity`; the first one is that of all other figures.
        recipe: of the students, as options of `train` and `compare`.
        trained: methods of the trainings beside the evolved distiller.
        compared: methods of the comparisons; all but the student alone also with the evolved distiller added.
        seeds: of both, from 0.
        stage: the feature map that `cam` looks at; None takes the last.
        distiller: the evolved one, as a file or a text form.
    """

    name: str
    data: str
    student: str
    teachers: tuple[Teacher, ...]
    distiller: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    trained: tuple[str, ...] = (ALONE, "kd", "dkd")
    compared: tuple[str, ...] = (ALONE, "kd", "dkd")
    seeds: int = 1
    stage: str | None = None


def digits() -> Plan:
    """Handwritten digits, as a default run has them."""
    return Plan(
        name="figures",
        data="digits",
        student="cnn2",
        teachers=(Teacher("cnn32"), Teacher("cnn16"), Teacher("cnn8")),
        distiller=str(read_result(RESULTS / "digits.json").part("runs")[0]["evolved formula"]),
        compared=(ALONE, "kd", "dist", "dkd", "sp"),
        seeds=3,
        stage="stage2",
    )


def cifar100(data: str, weights: str, *, teacher_images: int, teacher_epochs: int) -> Plan:
    """CIFAR-100 as the reduced setting of `benchmarks.cifar100` has it, under a published and two smaller teachers.

    Args:
        weights: of the published ResNet-56.
        teacher_images, teacher_epochs: by which the smaller teachers are trained.
    """
    own = {
        "limit": teacher_images,
        "epochs": teacher_epochs,
        "preset": "general",
        "augment": "crop-flip",
        "batch_size": 128,
    }
    published = {"teacher_weights": weights, "teacher_norm": TEACHER_NORM}
    found = read_result(RESULTS / "cifar100.json").part("setting")
    return Plan(
        name="figures_cifar100",
        data=data,
        student=REDUCED.student,
        teachers=(
            Teacher(REDUCED.teacher, published),
            Teacher("resnet20", training=own),
            Teacher("resnet8", training=own),
        ),
        distiller=str(next(row["value"] for row in found if str(row["what"]).startswith(EVOLVED))),
        recipe={**REDUCED.shared, **REDUCED.compare},
    )


def quick(name: str, data: str) -> Plan:
    """To see that it works: striped images in three classes, networks of a few thousand numbers."""
    own = {"epochs": 1, "preset": "general", "augment": "none"}
    return Plan(
        name=name,
        data=data,
        student="cnn2",
        teachers=(Teacher("cnn4"), Teacher("cnn2", training=own)),
        distiller="weight(10, l2(logits))",
        recipe={"epochs": 1, "preset": "general", "augment": "none", "batch_size": 32},
        compared=(ALONE, "kd"),
        seeds=2,
    )
