"""What the trainings of a comparison have in common, as plain data: who adds to it later must agree in all of it."""

import math
from dataclasses import asdict
from typing import Any

from torch import nn

from kdzero_gp.models.digest import weights_digest
from kdzero_gp.session.config import RunConfig
from kdzero_gp.tasks.task import Task


def comparison_settings(config: RunConfig, task: Task, *, own_task: bool, train_on: str) -> dict[str, Any]:
    """Pair, data, recipe and what else a result depends on beside the method and the number of its seed.

    Data and teacher go by their contents, not by the paths of their files, which differ between machines.

    Args:
        own_task: whether the task was not made from the configuration, which then does not name its networks.
        train_on: the training images, or `all`, those of the validation split among them.
    """
    student = task.student(0)
    names = (task.teacher, student) if own_task else (config.teacher, config.student)
    teacher_name, student_name = (name if isinstance(name, str) else type(name).__name__ for name in names)
    recipe = {name: value for name, value in asdict(task.recipe).items() if name != "ce_weight"}  # it is a method's
    return {
        "data": {
            "name": task.data.name.rpartition("/")[2],
            "trained on": train_on,
            "fingerprint": task.data.fingerprint(),
        },
        "teacher": {
            "name": teacher_name,
            "weights": weights_digest(task.teacher),
            "input": task.teacher_input.identity,
        },
        "student": {
            "name": student_name,
            "parameters": parameters_of(student),
            "input": task.student_input.identity,
        },
        "taps": {
            side: {name: [str(tap), *tap.shape] for name, tap in taps.items()}
            for side, taps in (("teacher", task.teacher_taps), ("student", task.student_taps))
        },
        "recipe": recipe,
        "augmentation": asdict(task.augment),
        "bfloat16": task.amp,
        "teacher in every step": task.online,
        "seed": config.seed,
        "device": task.device.type,
        "threads": config.threads,
    }


def parameters_of(model: nn.Module) -> int:
    """How many trained numbers a network has."""
    return sum(math.prod(parameter.shape) for parameter in model.parameters())
