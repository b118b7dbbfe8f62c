"""The searches of one run seed, and what the winner of each is worth."""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.assemble import make_evaluator, make_grammar, make_settings
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.run.observer import Silent
from kdzero_gp.store import RunStore

LEADERS = 3
"""Trained in full once, on the validation split, before one of them is the winner."""
FRESH = 3
"""Trainings of the winner that are tested."""
EVOLUTION, WITHOUT_JOIN, RANDOM = "evolution", "evolution without join", "random search"
SEARCHES = (EVOLUTION, WITHOUT_JOIN, RANDOM)


@dataclass(frozen=True)
class Found:
    """What one search of one run seed came to.

    Attributes:
        proxy: fitness of the winner by its proxy training; lower is better, 1 is the student alone.
        accuracy: test accuracy of the winner in percent, mean of the trainings that succeeded.
        alone: the same of the student alone.
    """

    tree: str
    proxy: float
    accuracy: float
    alone: float


def one_seed(seed: int, options: Mapping[str, int]) -> dict[str, Found]:
    """All searches of one run seed.

    Args:
        options: of the run.
    """
    settle_torch(1, "cpu")
    config = make_config(seed=seed, **options)
    evaluator = make_evaluator(config)
    alone = _tested(evaluator, Candidate(None))
    found = {}
    for name in SEARCHES:
        winner = _winner(evaluator, _trained(evaluator, config, name))
        candidate = _candidate(winner)
        found[name] = Found(str(winner.tree), winner.value, _tested(evaluator, candidate), alone)
    return found


def _trained(evaluator: Evaluator, config: RunConfig, name: str) -> list[Individual]:
    """Every candidate with a fitness, best first."""
    arm: Arm = "random" if name == RANDOM else "evolve"
    settings = make_settings(config, evaluator.ladder)
    if name == WITHOUT_JOIN:
        operators = {operator: weight for operator, weight in settings.operators.items() if operator != "join"}
        settings = replace(settings, operators=operators)
    with (
        tempfile.TemporaryDirectory(prefix="kdzero-gp-equal-budget-") as folder,
        RunStore.create(Path(folder) / "run", config.identity) as store,
    ):
        grammar = make_grammar(config, evaluator.task)
        return Search(arm, settings, grammar, InProcess(evaluator), store, Silent()).run()


def _winner(evaluator: Evaluator, found: Sequence[Individual]) -> Individual:
    """Of the best by proxy, the best by one full training on the validation split."""
    alone = evaluator.full(Candidate(None), FRESH, "val").parts
    fitness = FITNESS[evaluator.settings.fitness]

    def worth(individual: Individual) -> float:
        own = evaluator.full(_candidate(individual), FRESH, "val").parts
        return float("inf") if own is None or alone is None else fitness(own, alone)

    return min(found[:LEADERS], key=worth)


def _candidate(individual: Individual) -> Candidate:
    return Candidate(str(individual.tree), individual.evaluation.calibration)


def _tested(evaluator: Evaluator, candidate: Candidate) -> float:
    results = [evaluator.full(candidate, number, "test").part("accuracy") for number in range(FRESH)]
    return 100 * statistics.fmean(value for value in results if value is not None)
