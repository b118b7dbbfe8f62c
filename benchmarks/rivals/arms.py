"""The arms of one run seed, and what the winner of each is worth."""

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rivals.catalogue import published, tuned
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.assemble import make_evaluator, make_grammar, make_settings
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.run.observer import Silent
from kdzero_gp.run.seed_trees import seed_trees
from kdzero_gp.store import RunStore

LEADERS = 4
"""Trained in full twice, on the validation split, before one of them is the winner."""
REASSESSED = 2
FRESH = 3
"""Trainings of a winner that are tested."""
EVOLUTION, FROM_CATALOGUE, RANDOM, TUNED = (
    "evolution",
    "evolution from the catalogue",
    "random search",
    "tuned catalogue",
)
ARMS = (EVOLUTION, FROM_CATALOGUE, RANDOM, TUNED)
ALONE = "student alone"

Ranked = list[tuple[float, Candidate]]
"""Candidates with their fitness by proxy training, best first."""


@dataclass(frozen=True)
class Winner:
    """What one arm of one run seed came to.

    Attributes:
        proxy: fitness by proxy training; lower is better, 1 is the student alone. None where none was made.
        steps: of all proxy trainings of the arm.
        accuracy: on test images in percent, mean of the trainings that succeeded.
    """

    tree: str
    proxy: float | None
    steps: int
    accuracy: float


def one_seed(seed: int, options: Mapping[str, Any], with_published: bool) -> dict[str, Winner]:
    """All arms of one run seed, the student alone, and the published methods where they are wanted.

    Args:
        options: of the run.
    """
    settle_torch(1, "cpu")
    config = make_config(seed=seed, **options)
    evaluator = make_evaluator(config)
    budget = config.pop * (config.gens + 1)
    rank: dict[str, Callable[[], Ranked]] = {
        EVOLUTION: lambda: _searched(evaluator, config, "evolve", ()),
        FROM_CATALOGUE: lambda: _searched(evaluator, config, "evolve", START),
        RANDOM: lambda: _searched(evaluator, config, "random", ()),
        TUNED: lambda: _measured(evaluator, tuned(evaluator.task, budget)),
    }
    won = {ALONE: Winner("", None, 0, _tested(evaluator, Candidate(None)))}
    for name, ranked in rank.items():
        found = ranked()
        proxy, best = _best(evaluator, found)
        steps = budget * evaluator.ladder.ends[-1]
        won[name] = Winner(str(best.tree), proxy, steps, _tested(evaluator, best))
    if with_published:
        for name, candidate in published(evaluator.task).items():
            won[name] = Winner(str(candidate.tree), None, 0, _tested(evaluator, candidate))
    return won


START = ("kd", "dist", "dkd", "lskd", "pkt", "rkd")
"""Methods that the warm start puts among the first population."""


def _searched(evaluator: Evaluator, config: RunConfig, arm: Arm, start: Sequence[str]) -> Ranked:
    settings = make_settings(config, evaluator.ladder)
    with (
        tempfile.TemporaryDirectory(prefix="kdzero-gp-rivals-") as folder,
        RunStore.create(Path(folder) / "run", config.identity) as store,
    ):
        grammar = make_grammar(config, evaluator.task)
        trees = seed_trees(start, evaluator, settings.limits)
        search = Search(arm, settings, grammar, InProcess(evaluator), store, Silent(), seeds=trees)
        return [
            (individual.value, Candidate(str(individual.tree), individual.evaluation.calibration))
            for individual in search.run()
        ]


def _measured(evaluator: Evaluator, candidates: Sequence[Candidate]) -> Ranked:
    """Trains candidates as a search trains its own; what fails is left out."""
    last = evaluator.ladder.last
    found = [(evaluator.train([candidate], last)[0].fitness, candidate) for candidate in candidates]
    return sorted(((fitness, each) for fitness, each in found if fitness is not None), key=lambda pair: pair[0])


def _best(evaluator: Evaluator, ranked: Ranked) -> tuple[float, Candidate]:
    """Of the best by proxy, the best by full trainings on the validation split."""
    fitness = FITNESS[evaluator.settings.fitness]
    numbers = range(FRESH, FRESH + REASSESSED)
    alone = [evaluator.full(Candidate(None), number, "val").parts for number in numbers]

    def worth(pair: tuple[float, Candidate]) -> float:
        own = [evaluator.full(pair[1], number, "val").parts for number in numbers]
        if any(parts is None for parts in (*own, *alone)):
            return float("inf")
        return statistics.fmean(fitness(a, b) for a, b in zip(own, alone, strict=True) if a and b)

    return min(ranked[:LEADERS], key=worth)


def _tested(evaluator: Evaluator, candidate: Candidate) -> float:
    results = [evaluator.full(candidate, number, "test").part("accuracy") for number in range(FRESH)]
    return 100 * statistics.fmean(value for value in results if value is not None)
