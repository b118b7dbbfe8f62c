"""The search: generations of proposals, screened, trained, selected.

A run is resumed by running it again: the loop is deterministic given its evaluations, and an evaluation that the
store holds is read instead of repeated. So there is no state to save that could disagree with the store.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from deap import tools

from kdzero_gp.evaluate.screen import Screening, Stage
from kdzero_gp.evolve.individual import Individual, place
from kdzero_gp.evolve.proposer import Candidate, Proposer
from kdzero_gp.evolve.race import Outcome, Race, Runner
from kdzero_gp.evolve.settings import Arm, SearchSettings
from kdzero_gp.evolve.shrink import shrunk_weights
from kdzero_gp.execute.protocol import Executor, ScreenJob
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation

DOUBTS: frozenset[Stage] = frozenset({"not_smaller_when_equal", "no_progress"})
"""Stages that judge by one batch whether a distiller is worth a training; at others it cannot be had, or repeats."""


class Observer(Protocol):
    """Whoever wants to follow a search."""

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, fresh: bool) -> None:
        """A candidate's evaluation is known; `fresh` if it was made now rather than read from the store."""
        ...

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, object]) -> None:
        """A generation is complete."""
        ...


class Search:
    """One arm of a run.

    Args:
        arm: `evolve`, or `random`, which draws every proposal afresh under the same budget.
        seeds: trees that the first population begins with.
    """

    def __init__(
        self,
        arm: Arm,
        settings: SearchSettings,
        grammar: Grammar,
        executor: Executor,
        store: RunStore,
        observer: Observer,
        seeds: Sequence[Tree] = (),
    ) -> None:
        self.arm = arm
        self.settings = settings
        self.grammar = grammar
        self.executor = executor
        self.store = store
        self.observer = observer
        self.proposer = Proposer(arm, settings, grammar, seeds)
        self.population: list[Individual] = []
        self.trained: list[Individual] = []
        self.entered: list[Individual] = []
        self.race = Race(arm, settings, executor, store, self._told)
        self.weights: dict[str, float] = {}
        self._fingerprints: set[str] = set()
        self._funnel: Counter[str] = Counter()

    def run(self) -> list[Individual]:
        """Runs all generations; returns every individual with a fitness, best first.

        Two searches of equal settings return equal lists, interrupted or not.
        """
        for generation in range(self.settings.generations + 1):
            started = time.perf_counter()
            self._funnel = Counter()
            duplicates = self.proposer.duplicates
            outcome = self._generation(generation)
            newcomers = outcome.highest
            self.entered += outcome.rungs[0]
            self.trained += newcomers
            self.population = self._survivors(newcomers)
            if self.settings.shrink_space and self.arm == "evolve":
                self.weights = shrunk_weights(self.grammar, self.weights, self.entered)
            self._funnel += outcome.statuses
            self._funnel["duplicate"] = self.proposer.duplicates - duplicates
            self._report(generation, outcome, time.perf_counter() - started)
        return sorted(self.trained, key=place)

    def _generation(self, generation: int) -> Outcome:
        """Asks until as many candidates passed the screening as are to be trained, then lets them race."""
        wanted = self.settings.population
        passed: list[Runner] = []
        asked = 0
        while len(passed) < wanted and asked < wanted * self.settings.patience:
            asking = (
                self.proposer.propose(generation, self.population, self.weights) for _ in range(wanted - len(passed))
            )
            candidates = [candidate for candidate in asking if candidate is not None]
            if not candidates:
                break
            asked += len(candidates)
            passed += self._screened(candidates)
        self._funnel["proposed"] += asked
        return self.race(passed)

    def _screened(self, candidates: list[Candidate]) -> list[Runner]:
        """The candidates that passed, each with its screening; what the store holds is not screened again."""
        results: dict[int, Screening | Evaluation] = {}
        jobs: list[int] = []
        for index, candidate in enumerate(candidates):
            stored = self.store.find(self.arm, candidate.proposal.canonical, 0)
            if stored is None:
                jobs.append(index)
            elif was_trained(stored):
                results[index] = Screening(None, stored.calibration, stored.fingerprint)
            else:
                results[index] = stored
                self.observer.evaluated(candidate, stored, fresh=False)
        for position, result in self.executor.run([ScreenJob(str(candidates[i].tree)) for i in jobs]):
            index = jobs[position]
            if not isinstance(result, Screening | Evaluation):
                raise TypeError(f"a screening gave a {type(result).__name__}")
            result = pardoned(candidates[index], result)
            results[index] = result
            if isinstance(result, Evaluation):
                self._record(candidates[index], result)
        passed: list[Runner] = []
        for index, candidate in enumerate(candidates):
            result = results[index]
            if isinstance(result, Evaluation):
                self._funnel[result.stage or result.status] += 1
                continue
            # decided here, in the order of asking, so that it does not depend on which worker was first
            if result.fingerprint in self._fingerprints and self.settings.deduplicate:
                self._record(candidate, self._duplicate(result))
                self._funnel["functional_duplicate"] += 1
                continue
            if result.fingerprint is not None:
                self._fingerprints.add(result.fingerprint)
            passed.append((candidate, result))
        return passed

    def _duplicate(self, screening: Screening) -> Evaluation:
        """The record of a candidate that agrees in effect with one before it."""
        return Evaluation(
            status="rejected",
            stage="functional_duplicate",
            fitness=None,
            parts={},
            calibration=screening.calibration,
            fingerprint=screening.fingerprint,
            steps=0,
            seed=derive_seed(self.settings.seed, "distiller"),
            seconds=0.0,
            host="",
            error=None,
        )

    def _record(self, candidate: Candidate, evaluation: Evaluation) -> None:
        self.store.record(candidate.proposal, evaluation)
        self.observer.evaluated(candidate, evaluation, fresh=True)

    def _survivors(self, newcomers: list[Individual]) -> list[Individual]:
        size = self.settings.population
        if self.settings.selection == "nsga2":
            survivors: list[Individual] = tools.selNSGA2([*self.population, *newcomers], size)
            return survivors
        elite = tools.selBest(self.population, self.settings.elites)
        survivors = tools.selBest([*elite, *newcomers], size)
        return survivors

    def _told(self, candidate: Candidate, evaluation: Evaluation, fresh: bool) -> None:
        self.observer.evaluated(candidate, evaluation, fresh=fresh)

    def _report(self, generation: int, outcome: Outcome, seconds: float) -> None:
        rungs, last = outcome.summary(), self.settings.ladder.last
        whole = self.settings.ladder.ends[-1] * outcome.statuses["trained"]
        stats: dict[str, object] = {
            "best": min((i.value for i in self.trained if i.rung == last), default=None),
            "generation_best": rungs[-1]["best"],
            "median": rungs[0]["median"],
            "quartiles": rungs[0]["quartiles"],
            "rungs": rungs,
            "steps": outcome.steps,
            "avoided": 1 - outcome.steps / whole if whole else None,
            "funnel": dict(sorted(self._funnel.items())),
            "diversity": _diversity(self.population),
            "weights": {name: weight for name, weight in sorted(self.weights.items()) if weight < 1},
            "seconds": seconds,
        }
        self.store.put_generation(self.arm, generation, stats)  # type: ignore[arg-type]
        self.observer.generation_done(self.arm, generation, stats)


def was_trained(evaluation: Evaluation) -> bool:
    """Whether an evaluation is that of a training, successful or not: it came past the fingerprint."""
    return evaluation.status == "ok" or (evaluation.status != "rejected" and evaluation.fingerprint is not None)


def pardoned(candidate: Candidate, screened: Screening | Evaluation) -> Screening | Evaluation:
    """A method that the user named passes, even if one batch speaks against it."""
    if isinstance(screened, Evaluation) and candidate.proposal.operator == "seed" and screened.stage in DOUBTS:
        return Screening(None, screened.calibration, screened.fingerprint)
    return screened


def _diversity(population: Sequence[Individual]) -> float | None:
    """Mean share of operations and taps that two members do not have in common (Jaccard distance)."""
    symbols = [{node.symbol for node in i.tree.root.walk() if node.kind != "constant"} for i in population]
    pairs = [1 - len(a & b) / len(a | b) for n, a in enumerate(symbols) for b in symbols[:n]]
    return statistics.fmean(pairs) if pairs else None
