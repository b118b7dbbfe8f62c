"""From a configuration to the objects of a run: task, evaluator, grammar, in the main process and in workers."""

import math

from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.start import start_executor
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.vary import Limits
from kdzero_gp.pair.assemble import load_primitives, make_task
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.config import RunConfig
from kdzero_gp.tasks.task import Task

TEACHING = 0.02
"""Seconds that the teacher may take for a training image, once for each view: a worker waits for its outputs."""


def make_evaluator(config: RunConfig, task: Task | None = None) -> Evaluator:
    """Gives the fitness function of a run."""
    load_primitives(config)
    settings = EvaluationSettings(
        run_seed=config.seed,
        calibrate=config.calibrate == "gradient",
        fitness=config.fitness,
        timeout=config.timeout,
        rungs=config.rungs,
        eta=config.eta,
        max_work=config.max_work or math.inf,
        stacking=config.together[1],
        base=config.base,
    )
    return Evaluator(task or make_task(config), settings)


def make_worker_evaluator(config: RunConfig) -> Evaluator:
    """Gives the fitness function inside a worker process."""
    settle_torch(config.threads, config.device)
    return make_evaluator(config)


def make_grammar(config: RunConfig, task: Task) -> Grammar:
    """Gives the grammar over the task's taps and the run's operations."""
    return task.grammar(active_registry(), extended=config.space == "extended")


def make_executor(config: RunConfig, evaluator: Evaluator, workers: int) -> Executor:
    """Makes the executor that carries out the evaluations of a run.

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


def make_settings(config: RunConfig, ladder: Ladder | None = None) -> SearchSettings:
    """Gives the parameters of the genetic-programming loop."""
    return SearchSettings(
        population=config.pop,
        generations=config.gens,
        seed=config.seed,
        selection=config.selection,
        elites=max(1, config.pop // 4),
        limits=Limits(config.max_depth, config.max_size),
        ladder=ladder or Ladder((1,)),
        fuse=config.together[0],
        shrink_space=config.shrink_space,
    )
