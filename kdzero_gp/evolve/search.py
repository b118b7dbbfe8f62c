"""The search: generations of proposals that are screened, trained and selected.

A run is resumed by running it again: the loop is deterministic given its evaluations, and an evaluation that the
store holds is read instead of repeated. So there is no state to save that could disagree with the store.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from kdzero_gp.evaluate.screen import Screening, Stage
from kdzero_gp.evolve.individual import Individual, best_first
from kdzero_gp.evolve.proposer import Proposer
from kdzero_gp.evolve.race import Outcome, Race
from kdzero_gp.evolve.selection import make_selection
from kdzero_gp.evolve.settings import Arm, SearchSettings
from kdzero_gp.evolve.shrink import shrunk_weights
from kdzero_gp.execute.protocol import Executor, ScreenJob
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation, Proposal

DOUBTFUL_STAGES: frozenset[Stage] = frozenset({"not_smaller_when_equal", "no_progress"})
"""Stages that judge by one batch whether a distiller is worth a training. The others find that it cannot be trained, or
that an equal one was."""


class Observer(Protocol):
    """Follows a search."""

    def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
        """Receives the evaluation of a proposal; `fresh` if it was made now rather than read from the store."""
        ...

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, object]) -> None:
        """Receives the statistics of a complete generation."""
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
        self.selection = make_selection(settings)
        self.proposer = Proposer(arm, settings, grammar, self.selection, seeds)
        self.population: list[Individual] = []
        self.trained: list[Individual] = []
        self.entered: list[Individual] = []
        self.race = Race(arm, settings, self.selection, executor, store, self._notify)
        self.weights: dict[str, float] = {}
        self._screenings: dict[int, Screening] = {}
        self._fingerprints: set[str] = set()
        self._funnel = empty_funnel()

    def run(self) -> list[Individual]:
        """Runs all generations; returns every individual with a fitness, best first.

        Two searches of equal settings return equal lists, interrupted or not.
        """
        for generation in range(self.settings.generations + 1):
            started = time.perf_counter()
            self._funnel = empty_funnel()
            duplicates = self.proposer.duplicates
            outcome = self._generation(generation)
            newcomers = outcome.highest
            self.entered += outcome.rungs[0]
            self.trained += newcomers
            self.population = self.selection.survivors(self.population, newcomers)
            if self.settings.shrink_space and self.arm == "evolve":
                self.weights = shrunk_weights(self.grammar, self.weights, self.entered)
            self._funnel.update(outcome.statuses)  # `+=` would drop what is zero
            self._funnel["duplicate"] = self.proposer.duplicates - duplicates
            self._report(generation, outcome, time.perf_counter() - started)
        return sorted(self.trained, key=best_first)

    def _generation(self, generation: int) -> Outcome:
        """Proposes until as many trees passed the screening as are to be trained, then races them."""
        wanted = self.settings.population
        self._screenings = {}
        passed: list[Proposal] = []
        asked = 0
        while len(passed) < wanted and asked < wanted * self.settings.patience:
            asking = (
                self.proposer.propose(generation, self.population, self.weights) for _ in range(wanted - len(passed))
            )
            proposals = [proposal for proposal in asking if proposal is not None]
            if not proposals:
                break
            asked += len(proposals)
            passed += self._screen(proposals)
        self._funnel["proposed"] += asked
        return self.race(passed, self._screenings)

    def _screen(self, proposals: list[Proposal]) -> list[Proposal]:
        """Screens proposals and gives back those that passed; what the store holds is not screened again."""
        results: dict[int, Screening | Evaluation] = {}
        jobs: list[int] = []
        for index, proposal in enumerate(proposals):
            stored = self.store.find(self.arm, proposal.canonical, 0)
            if stored is None:
                jobs.append(index)
            elif stored.was_trained:
                results[index] = Screening(None, stored.calibration, stored.fingerprint)
            else:
                results[index] = stored
                self._notify(proposal, stored, fresh=False)
        for position, result in self.executor.run([ScreenJob(proposals[index].tree) for index in jobs]):
            index = jobs[position]
            if not isinstance(result, Screening | Evaluation):
                raise TypeError(f"a screening gave a {type(result).__name__}")
            results[index] = allow_named_method(proposals[index], result)
            if isinstance(result := results[index], Evaluation):
                self._record(proposals[index], result)
        passed: list[Proposal] = []
        for index, proposal in enumerate(proposals):
            result = results[index]
            if isinstance(result, Evaluation):
                self._funnel[result.stage or result.status] += 1
                continue
            # decided here, in the order of asking, so that it does not depend on which worker was first
            if result.fingerprint in self._fingerprints and self.settings.deduplicate:
                self._record(proposal, self._duplicate(result))
                self._funnel["functional_duplicate"] += 1
                continue
            if result.fingerprint is not None:
                self._fingerprints.add(result.fingerprint)
            self._screenings[proposal.number] = result
            passed.append(proposal)
        return passed

    def _duplicate(self, screening: Screening) -> Evaluation:
        """Makes the evaluation of a proposal that agrees in effect with one before it."""
        return Evaluation.rejected(
            "functional_duplicate",
            calibration=screening.calibration,
            fingerprint=screening.fingerprint,
            seed=derive_seed(self.settings.seed, "distiller"),
        )

    def _record(self, proposal: Proposal, evaluation: Evaluation) -> None:
        self.store.record(proposal, evaluation)
        self._notify(proposal, evaluation, fresh=True)

    def _notify(self, proposal: Proposal, evaluation: Evaluation, fresh: bool) -> None:
        self.observer.evaluated(proposal, evaluation, fresh=fresh)

    def _report(self, generation: int, outcome: Outcome, seconds: float) -> None:
        rungs, last = outcome.summary(), self.settings.ladder.last
        whole = self.settings.ladder.ends[-1] * outcome.statuses["trained"]
        stats: dict[str, object] = {
            "best": min((each.value for each in self.trained if each.rung == last), default=None),
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


def allow_named_method(proposal: Proposal, result: Screening | Evaluation) -> Screening | Evaluation:
    """Lets a method that the user named pass the stages that judge by one batch alone."""
    if isinstance(result, Evaluation) and proposal.operator == "seed" and result.stage in DOUBTFUL_STAGES:
        return Screening(None, result.calibration, result.fingerprint)
    return result


def empty_funnel() -> Counter[str]:
    """Gives the counts of a generation at its start; the number of proposals is always among them."""
    return Counter(proposed=0)


def _diversity(population: Sequence[Individual]) -> float | None:
    """Computes the members' mean Jaccard distance by operations and taps."""
    symbols = [{node.symbol for node in each.tree.root.walk() if node.kind != "constant"} for each in population]
    pairs = [1 - len(a & b) / len(a | b) for n, a in enumerate(symbols) for b in symbols[:n]]
    return statistics.fmean(pairs) if pairs else None
