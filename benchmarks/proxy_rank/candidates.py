"""The distillers that are ranked, and the trainings of each: the cheap ones, and the full ones that tell the truth."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from benchmarks.proxy_rank.settings import Parts, Proxy, outcomes
from kdzero_gp import random_tree
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.loops.single import DivergedError, Training
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.classification.measures import student_shares
from kdzero_gp.tasks.task import Task

Trainings = tuple[list[float], dict[tuple[int, int], list[Parts | None]]]
"""Test accuracies of a candidate's full trainings, and the parts of its cheap ones by (setting, seed)."""


@dataclass(frozen=True)
class Candidate:
    """A distiller to be trained; without a tree the student alone."""

    tree: str | None
    calibration: tuple[float, ...] = ()


def sample(evaluator: Evaluator, count: int, seed: int) -> list[Candidate]:
    """The student alone and random trees that pass the screening, with their calibration."""
    rng = random.Random(seed)
    chosen = [Candidate(None)]
    while len(chosen) <= count:
        tree = random_tree(rng)
        screening = evaluator.screen(tree)
        if isinstance(screening, Screening):
            chosen.append(Candidate(str(tree), screening.calibration))
    return chosen


@lru_cache(maxsize=1)
def digits_task() -> Task:
    """The digits pair, made once in each process."""
    settle_torch(1, "cpu")
    return make_task(make_config())


def truth_of(candidate: Candidate, seeds: Sequence[int]) -> list[float]:
    """Test accuracies of full trainings; 0 for one that diverged."""
    task, found = digits_task(), []
    for seed in seeds:
        distiller = None
        if candidate.tree is not None:
            distiller = Distiller(candidate.tree, calibration=candidate.calibration, seed=seed)
        training = Training(task, distiller, task.recipe, student_seed=seed, order_seed=seed)
        try:
            training.advance(training.steps)
            found.append(student_shares(task, training.student, "test")["accuracy"])
        except DivergedError:
            found.append(0.0)
    return found


def one_candidate(
    candidate: Candidate, settings: Sequence[Proxy], proxy_seeds: Sequence[int], final_seeds: Sequence[int]
) -> Trainings:
    """The truth about a candidate, and its parts by (setting, seed)."""
    task = digits_task()
    parts = {
        (number, seed): outcomes(task, proxy, candidate.tree, candidate.calibration, seed)
        for number, proxy in enumerate(settings)
        for seed in proxy_seeds
    }
    return truth_of(candidate, final_seeds), parts
