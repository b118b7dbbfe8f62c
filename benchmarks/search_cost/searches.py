"""The two searches, and what their incumbents are worth at moments of each."""

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.search_cost.trace import Moment, best_so_far
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evaluate.screen import STEPS, Screening
from kdzero_gp.evolve.search import Search
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.assemble import make_grammar, make_settings
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.run.observer import Silent
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation

FRESH = 3
"""Full trainings by which an incumbent is measured."""
SCREENING = STEPS + 1
"""Student steps that a screening is worth: its short optimisation, and the gradients of the terms."""
POINTS = 8
"""Moments of a search at which its incumbent is measured, besides the last."""


class Unscreened(Evaluator):
    """Computes what the screening computes, calibration above all, and turns nobody down."""

    def screen(self, tree: Tree) -> Evaluation | Screening:
        """A screening that is always passed, unless the candidate cannot even be compiled."""
        screening = super().screen(tree)
        if isinstance(screening, Evaluation) and screening.status == "rejected":
            terms = str(tree.canonical()).count("weight(")
            return Screening(None, screening.calibration or (1.0,) * terms, screening.fingerprint)
        return screening


@dataclass(frozen=True)
class Arm:
    """One of the two searches.

    Attributes:
        generations: chosen such that the plain arm spends the budget and the other no more than that.
        options: of the run.
    """

    name: str
    plain: bool
    generations: int
    options: Mapping[str, Any]


def arms(population: int, generations: int, rungs: int, epochs: int | None = None) -> tuple[Arm, Arm]:
    """The plain search, and the program's within the same number of steps.

    Args:
        epochs: of a full training, and of a candidate's; None: the usual number.
    """
    epochs = epochs or make_task(make_config()).recipe.epochs
    shared = {"pop": population, "epochs": epochs, "proxy_epochs": epochs}
    return (
        Arm("plain", True, generations, {**shared, "rungs": 1}),
        Arm("raced", False, generations, {**shared, "rungs": rungs}),
    )


def trace_of(arm: Arm, seed: int, folder: Path) -> tuple[list[Moment], Evaluator]:
    """Runs one search; the best so far after every training, by the steps spent until then."""
    config = make_config(seed=seed, gens=arm.generations, **arm.options)
    task = make_task(config)
    evaluator = _evaluator(config, task, plain=arm.plain)
    settings = replace(make_settings(config, evaluator.ladder), deduplicate=not arm.plain)
    with RunStore.create(folder, config.identity) as store:
        Search("evolve", settings, make_grammar(config, task), InProcess(evaluator), store, Silent()).run()
        records = list(store.in_order_of_recording("evolve"))
    return best_so_far(records, screening=0 if arm.plain else SCREENING), evaluator


def _evaluator(config: RunConfig, task: Any, *, plain: bool) -> Evaluator:
    settings = EvaluationSettings(config.seed, fitness=config.fitness, rungs=config.rungs, eta=config.eta)
    return (Unscreened if plain else Evaluator)(task, settings)


class Judge:
    """Measures incumbents by full trainings with fresh seeds, each only once."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.alone = [evaluator.full(Candidate(None), number, "val").parts for number in range(FRESH)]
        self._known: dict[str, float] = {}

    def __call__(self, moment: Moment) -> float:
        """Mean validation fitness; infinity where a training failed."""
        if moment.tree not in self._known:
            self._known[moment.tree] = self._measured(Candidate(moment.tree, moment.calibration))
        return self._known[moment.tree]

    def _measured(self, candidate: Candidate) -> float:
        fitness = FITNESS[self.evaluator.settings.fitness]
        values = []
        for number, alone in enumerate(self.alone):
            own = self.evaluator.full(candidate, number, "val").parts
            if alone is None or own is None:
                return float("inf")
            values.append(fitness(own, alone))
        return statistics.fmean(values)


def one_seed(arm: Arm, seed: int) -> list[tuple[int, float]]:
    """(steps spent, worth of the incumbent) at moments of one search."""
    settle_torch(1, "cpu")
    with tempfile.TemporaryDirectory(prefix="kdzero-gp-search-cost-") as folder:
        trace, evaluator = trace_of(arm, seed, Path(folder) / "run")
    worth = Judge(evaluator)
    return [(moment.steps, worth(moment)) for moment in _spread(trace)]


def _spread(trace: Sequence[Moment]) -> Iterator[Moment]:
    """The incumbents at evenly spread shares of the budget, each with the steps spent when it was looked at."""
    total = trace[-1].steps
    for point in range(1, POINTS + 1):
        limit = total * point // POINTS
        reached = [moment for moment in trace if moment.steps <= limit]
        if reached:
            yield replace(reached[-1], steps=limit)
