"""From options to the objects of a comparison: configuration, recipe, evaluator, executor."""

import logging
from functools import partial
from typing import Any, Literal

from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.fused_choice import choose_fuse
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.fit.all_images import on_all_images
from kdzero_gp.fit.config import PAIR_OPTIONS, make_fit_config
from kdzero_gp.session.assemble import load_primitives, make_task, start_executor
from kdzero_gp.session.config import RunConfig, make_config, require_known
from kdzero_gp.session.determinism import settle_torch
from kdzero_gp.session.fuse_option import parse_fuse
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

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
