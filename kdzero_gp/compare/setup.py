"""From options to the objects of a comparison: configuration, recipe, evaluator, executor."""

import logging
import math
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from torch import nn

from kdzero_gp.data.sources.all_images import on_all_images
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.start import start_executor
from kdzero_gp.loops.fused.choice import choose_fuse
from kdzero_gp.loops.fused.ways import parse_fuse
from kdzero_gp.models.weights import weights_digest
from kdzero_gp.pair.assemble import load_primitives, make_task
from kdzero_gp.pair.config import require_known
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.tasks.kinds import DEFAULT
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.config import PAIR_OPTIONS, make_fit_config

_log = logging.getLogger(__name__)


MACHINE = ("fuse", "timeout", "workers", "executor", "ray_address")
"""Options of how trainings are carried out; the others are those of a single final training."""


def comparison_config(
    options: dict[str, Any], preset: str | None, train_on: Literal["all", "train"] = "all"
) -> tuple[RunConfig, Recipe]:
    """The configuration of pair, data and machine, and the recipe of all trainings.

    What is not given is as `python -m kdzero_gp.train` has it: as the student is published.

    Raises:
        ConfigError: an unknown option, or a value out of range.
    """
    known = (*PAIR_OPTIONS, *MACHINE)
    require_known(options, known, "a comparison has")
    checked = make_config(**options)
    pair = {name: value for name, value in options.items() if name not in MACHINE}
    settled = make_fit_config(distiller="none", train_on=train_on, preset=preset, **pair)
    return settled.pair.model_copy(update={name: getattr(checked, name) for name in MACHINE}), settled.recipe


def comparison_task(config: RunConfig, recipe: Recipe, train_on: Literal["all", "train"] = "all") -> Task:
    """The pair and its data under the recipe.

    Raises:
        KdzeroError: what is wrong with data, models, weights or primitives.
    """
    load_primitives(config)
    task = make_task(config)
    task.recipe = task.proxy = recipe
    if train_on == "all":
        task.data = on_all_images(task.data)
    return task


def comparison_evaluator(config: RunConfig, task: Task) -> Evaluator:
    """What does the trainings."""
    stacking = None if config.fuse in (None, "auto") else parse_fuse(config.fuse)[1]
    return Evaluator(task, EvaluationSettings(run_seed=config.seed, stacking=stacking))


def settled_fuse(config: RunConfig, task: Task, most: int) -> RunConfig:
    """The configuration with `fuse` as NUMBER or NUMBER:WAY: what was asked for, or what is fastest here.

    Students trained together differ from those trained one by one in the last bits. So unasked that is done on a GPU
    alone, where no training repeats to the bit anyway.

    Args:
        most: methods that there are.
    """
    wanted = config.fuse or ("auto" if task.device.type == "cuda" else "1")
    if wanted == "auto":
        choice = choose_fuse(task, most=most) if most > 1 else None
        wanted = f"{choice.students}:{choice.way}" if choice is not None and choice.way else "1"
        _log.info("--fuse auto chose %s: %s", wanted, choice.reason if choice is not None else "there is one method")
    return config.model_copy(update={"fuse": wanted})


def together(config: RunConfig) -> int:
    """How many students are trained in one program."""
    return parse_fuse(config.fuse or "1")[0]


def worker_evaluator(config: RunConfig, recipe: Recipe, train_on: Literal["all", "train"]) -> Evaluator:
    """The same inside a worker process."""
    settle_torch(config.threads, config.device)
    return comparison_evaluator(config, comparison_task(config, recipe, train_on))


def comparison_executor(
    config: RunConfig, evaluator: Evaluator, workers: int, train_on: Literal["all", "train"], *, limited: bool
) -> Executor:
    """Where the trainings are done.

    Args:
        limited: whether a training may take `config.timeout` seconds, or as long as it takes.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    deadlines = Deadlines(full=config.timeout if limited else None)
    make = partial(worker_evaluator, recipe=evaluator.task.recipe, train_on=train_on)
    return start_executor(config, evaluator, workers, deadlines, make)


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
    kind = {} if task.kind.name == DEFAULT else {"task": task.kind.name}  # older folders are of the usual kind
    return kind | {
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
