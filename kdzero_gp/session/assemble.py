"""From a configuration to the objects of a run: task, evaluator, grammar, in the main process and in workers."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from kdzero_gp.data import Dataset, load_dataset, named_augmentation
from kdzero_gp.errors import PrimitiveError
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.registry import active_registry, default_registry
from kdzero_gp.grammar.vary import Limits
from kdzero_gp.models import build
from kdzero_gp.session.config import RunConfig
from kdzero_gp.session.determinism import settle_torch
from kdzero_gp.session.fuse_option import parse_fuse
from kdzero_gp.session.pair_check import check_pair
from kdzero_gp.session.untrained_pair import input_specs
from kdzero_gp.tasks.network_input import NetworkInput
from kdzero_gp.tasks.presets import recipes_for
from kdzero_gp.tasks.pretrain import cached_teacher
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.tap_override import parse_taps
from kdzero_gp.tasks.task import Task

TEACHING = 0.02
"""Seconds that the teacher may take for a training image, once for each view: a worker waits for its outputs."""


def make_data(config: RunConfig) -> Dataset:
    """Loads the data.

    Raises:
        DataError: what is wrong with them.
    """
    return load_dataset(config.data, limit=config.limit)


def make_task(config: RunConfig, data: Dataset | None = None) -> Task:
    """Loads the data, unless they are given, and the teacher, training the latter on first use.

    Raises:
        KdzeroError: what is wrong with the data, the models or the weights.
    """
    data = data or make_data(config)
    check_pair(config, data)
    specs = input_specs(config)
    teacher = cached_teacher(
        config.teacher, data, weights=config.teacher_weights, device=config.device, spec=specs.teacher
    )
    recipe, proxy = _recipes(config, data)
    channels, *size = NetworkInput(specs.student, data).shape
    student = partial(
        build, config.student, num_classes=data.num_classes, in_channels=channels, image_size=(size[0], size[1])
    )
    return Task(
        f"{config.pair} on {data.name}",
        teacher,
        student,
        data,
        recipe=recipe,
        proxy=proxy,
        device=config.device,
        augment=named_augmentation(config.augment, data, views=config.views),
        cache_gb=config.cache_gb,
        amp=config.amp,
        teacher_input=specs.teacher,
        student_input=specs.student,
        taps=parse_taps(config.taps),
    )


def _recipes(config: RunConfig, data: Dataset) -> tuple[Recipe, Recipe]:
    """The recipe of a full training and that of a proxy training."""
    full, proxy = recipes_for(data.name, config.student)
    changes = {name: value for name in ("batch_size", "lr") if (value := getattr(config, name)) is not None}
    full = replace(full, epochs=config.epochs or full.epochs, **changes)
    proxy_epochs = config.proxy_epochs or min(proxy.epochs, full.epochs)
    return full, replace(proxy, epochs=proxy_epochs, **changes)


def make_evaluator(config: RunConfig, task: Task | None = None) -> Evaluator:
    """The fitness function of a run."""
    load_primitives(config)
    settings = EvaluationSettings(
        run_seed=config.seed,
        calibrate=config.calibrate == "gradient",
        fitness=config.fitness,
        timeout=config.timeout,
        rungs=config.rungs,
        eta=config.eta,
        max_work=config.max_work or math.inf,
        stacking=None if config.fuse in (None, "auto") else parse_fuse(config.fuse)[1],
    )
    return Evaluator(task or make_task(config), settings)


def make_worker_evaluator(config: RunConfig) -> Evaluator:
    """The fitness function inside a worker process."""
    settle_torch(config.threads, config.device)
    return make_evaluator(config)


def make_grammar(config: RunConfig, task: Task) -> Grammar:
    """The grammar over the task's taps and the run's operations."""
    return Grammar(active_registry(), task.tap_types, extended=config.space == "extended")


def make_executor(config: RunConfig, evaluator: Evaluator, workers: int) -> Executor:
    """Where the evaluations of a run are carried out.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    task = evaluator.task
    proxy, full = (recipe.steps(len(task.data.train)) for recipe in (task.proxy, task.recipe))
    views = len(task.data.train) * (config.views if config.augment != "none" else 1)
    deadlines = Deadlines(
        training=config.timeout, full=config.timeout * max(1.0, full / proxy), grace=60 + TEACHING * views
    )
    return start_executor(config, evaluator, workers, deadlines, make_worker_evaluator)


def start_executor(
    config: RunConfig,
    evaluator: Evaluator,
    workers: int,
    deadlines: Deadlines,
    make: Callable[[RunConfig], Evaluator],
) -> Executor:
    """This process, worker processes or a Ray cluster, as the configuration says.

    Args:
        evaluator: of this process.
        make: how a worker makes its own; a module-level function, or one of `functools.partial`.

    Raises:
        ConfigError: Ray is wanted and not installed, or its cluster is not there.
    """
    kind = config.executor
    if kind == "auto":
        kind = "inprocess" if workers == 1 else "processes"
    if kind == "inprocess":
        return InProcess(evaluator, deadlines=deadlines)
    on_gpu = torch.device(config.device).type == "cuda"
    # a worker sees one GPU and knows it as the only one
    made = partial(make, config.model_copy(update={"device": "cuda" if on_gpu else config.device}))
    if kind == "processes":
        return Processes(workers, made, devices=_devices(config), threads=config.threads, deadlines=deadlines)
    from kdzero_gp.execute.ray import Ray

    return Ray(workers, made, address=config.ray_address, threads=config.threads, gpus=int(on_gpu), deadlines=deadlines)


def _devices(config: RunConfig) -> list[str]:
    """What worker processes are spread over: the GPU that was named, or all GPUs, or the CPU."""
    device = torch.device(config.device)
    if device.type == "cpu" or device.index is not None:
        return [config.device]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]


def make_settings(config: RunConfig, ladder: Ladder | None = None) -> SearchSettings:
    """The parameters of the genetic-programming loop."""
    students = 1 if config.fuse in (None, "auto") else parse_fuse(config.fuse)[0]
    return SearchSettings(
        population=config.pop,
        generations=config.gens,
        seed=config.seed,
        selection=config.selection,
        elites=max(1, config.pop // 4),
        limits=Limits(config.max_depth, config.max_size),
        ladder=ladder or Ladder((1,)),
        fuse=students,
        shrink_space=config.shrink_space,
    )


def load_primitives(config: RunConfig) -> None:
    """Runs the user's primitive files, once each.

    Raises:
        PrimitiveError: a file is missing, fails to run, or declares something that is refused.
    """
    loaded = {operation.source.rpartition(":")[0] for operation in default_registry().values()}
    for path in config.primitives:
        if path in loaded:
            continue
        try:
            active_registry().load_file(path)
        except SystemExit as error:
            raise PrimitiveError(
                f"{path} ended the program while it was loaded (sys.exit: {error}); a primitive file only declares "
                'functions: put what a script does below `if __name__ == "__main__":`'
            ) from None
