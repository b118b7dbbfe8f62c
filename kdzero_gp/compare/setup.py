"""From options to the objects of a comparison: configuration, recipe, evaluator, executor."""

from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

from pydantic import Field

from kdzero_gp.data.sources.all_images import on_all_images
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.fusing import measure_fuse, settle_fuse
from kdzero_gp.execute.config import NOT_IDENTITY, ExecutorConfig
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.start import start_executor
from kdzero_gp.models import parameter_count
from kdzero_gp.models.weights import weights_digest
from kdzero_gp.pair.assemble import load_primitives, make_task
from kdzero_gp.pair.config import Epochs, Seed
from kdzero_gp.randomness import settle_torch
from kdzero_gp.tasks.kinds import DEFAULT
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.config import Calibrate, TrainingConfig, TrainOn, make_training_config


class ComparisonConfig(TrainingConfig, ExecutorConfig):
    """Everything that decides what a comparison's trainings give, and how they are carried out."""

    not_identity: ClassVar[frozenset[str]] = NOT_IDENTITY

    epochs: Epochs = Field(None, description="Epochs of every training.")
    train_on: TrainOn = Field(
        "all", description="Images of the training and validation split: {default} (default), or train."
    )
    calibrate: Calibrate = Field(
        "none", description="Of text forms: {default} (default), or gradient, as a search does."
    )
    seed: Seed = Field(0, description="What all seeds derive from (default {default}).")
    timeout: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Seconds that one training may take (default: any)."
    )


def comparison_config(
    options: dict[str, Any], preset: str | None, train_on: TrainOn = "all"
) -> tuple[ComparisonConfig, Recipe]:
    """Validates options, and makes the recipe of all trainings.

    What is not given is as `python -m kdzero_gp.train` has it: as the student is published.

    Raises:
        ConfigError: an unknown option, or a value out of range.
    """
    config = make_training_config(
        ComparisonConfig, options | {"preset": preset, "train_on": train_on}, "a comparison has"
    )
    return config, config.recipe


def comparison_task(config: ComparisonConfig, recipe: Recipe, train_on: TrainOn = "all") -> Task:
    """Makes the task of the pair and its data under the recipe.

    Raises:
        KdzeroError: what is wrong with data, models, weights or primitives.
    """
    load_primitives(config)
    task = make_task(config)
    task.recipe = task.proxy = recipe
    if train_on == "all":
        task.data = on_all_images(task.data)
    return task


def comparison_evaluator(config: ComparisonConfig, task: Task) -> Evaluator:
    """Makes what does the trainings."""
    return Evaluator(task, EvaluationSettings(run_seed=config.seed, stacking=config.together[1]))


def settled_fuse(config: ComparisonConfig, task: Task, most: int) -> ComparisonConfig:
    """Settles `fuse` as NUMBER or NUMBER:WAY, measured unasked on a GPU alone.

    Args:
        most: methods that there are.
    """
    unasked = "auto" if task.device.type == "cuda" else "1"
    fuse = settle_fuse(
        config.fuse, task, unasked=unasked, measure=lambda: measure_fuse(task, most)[0] if most > 1 else "1"
    )
    return config.model_copy(update={"fuse": fuse})


def worker_evaluator(config: ComparisonConfig, recipe: Recipe, train_on: TrainOn) -> Evaluator:
    """Makes what does the trainings inside a worker process."""
    settle_torch(config.threads, config.device)
    return comparison_evaluator(config, comparison_task(config, recipe, train_on))


def comparison_executor(config: ComparisonConfig, evaluator: Evaluator, workers: int) -> Executor:
    """Starts where the trainings are done.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    deadlines = Deadlines(full=config.timeout)
    make = partial(worker_evaluator, recipe=evaluator.task.recipe, train_on=config.train_on)
    return start_executor(config, evaluator, workers, deadlines, make)


def comparison_settings(config: ComparisonConfig, task: Task, *, own_task: bool, train_on: str) -> dict[str, Any]:
    """Lists pair, data, recipe and what else a result depends on, beside method and seed.

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
            "parameters": parameter_count(student),
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
