"""One generation's race: everyone is trained a little, the best go on from where they stopped."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from kdzero_gp.evaluate.evaluator import Entry
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.individual import Individual, individual
from kdzero_gp.evolve.proposer import Candidate
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.protocol import Executor, TrainJob
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation

Runner = tuple[Candidate, Screening]
Told = Callable[[Candidate, Evaluation, bool], None]
"""Told of an evaluation, and whether it was made now."""


@dataclass
class Outcome:
    """What a race gave.

    Attributes:
        rungs: those that finished each rung with success, in the order of asking; a tree stands in every rung it
            reached.
        statuses: how many ended in which way, over all rungs; "trained" counts those that began.
        steps: student steps spent.
    """

    rungs: list[list[Individual]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    steps: int = 0

    @property
    def highest(self) -> list[Individual]:
        """Every tree once, with what it reached, in the order of asking."""
        reached = {found.proposal.number: found for rung in self.rungs for found in rung}
        return [reached[number] for number in sorted(reached)]

    def summary(self) -> list[dict[str, object]]:
        """Count, best, median and quartiles of the fitness at every rung."""
        table: list[dict[str, object]] = []
        for rung in self.rungs:
            values = sorted(found.value for found in rung)
            table.append(
                {
                    "finished": len(values),
                    "best": values[0] if values else None,
                    "median": statistics.median(values) if values else None,
                    "quartiles": statistics.quantiles(values, n=4)[::2] if len(values) > 1 else None,
                }
            )
        return table


class Race:
    """Runs races on an executor; what the store holds is read instead of repeated.

    Promotion looks at one generation alone and at nothing but its results, so it does not depend on the number of
    workers. Students go on from the state in which they stopped; where it is lost, they begin anew and arrive at the
    same place.
    """

    def __init__(self, arm: str, settings: SearchSettings, executor: Executor, store: RunStore, told: Told) -> None:
        self.arm = arm
        self.settings = settings
        self.executor = executor
        self.store = store
        self.told = told

    def __call__(self, runners: Sequence[Runner]) -> Outcome:
        """The race of candidates that passed the screening."""
        outcome = Outcome()
        ladder = self.settings.ladder
        last = max((candidate.proposal.number for candidate, _ in runners), default=None)
        for rung in range(len(ladder.ends)):
            evaluations = self._train(runners, rung)
            finished = []
            for (candidate, _), evaluation in zip(runners, evaluations, strict=True):
                outcome.steps += evaluation.steps
                outcome.statuses["trained" if rung == 0 else f"rung {rung}"] += 1
                if evaluation.status == "ok":
                    finished.append(self._individual(candidate, evaluation, rung))
                else:
                    outcome.statuses[evaluation.status] += 1
            outcome.rungs.append(finished)
            best = sorted(finished, key=lambda found: (found.value, found.tree.size, found.proposal.number))
            chosen = {found.proposal.number for found in best[: ladder.promoted(len(best))]}
            runners = [runner for runner in runners if runner[0].proposal.number in chosen]
        if last is not None and len(ladder.ends) > 1:
            self.store.drop_states(self.arm, last)
        return outcome

    def _train(self, runners: Sequence[Runner], rung: int) -> list[Evaluation]:
        """The evaluations of all runners at a rung, in their order.

        Students that are trained together are so again when a run is resumed, even if only one of them is missing.
        """
        stored = [self.store.get(self.arm, candidate.proposal.number, rung) for candidate, _ in runners]
        evaluations = [None if found is None else found[1] for found in stored]
        groups = even_groups(len(runners), self.settings.fuse)
        missing = [group for group in groups if any(evaluations[place] is None for place in group)]
        for place, evaluation in enumerate(evaluations):
            if evaluation is not None:
                self.told(_at(runners[place][0], rung), evaluation, False)
        jobs = [TrainJob(tuple(self._entry(runners[place], rung) for place in group), rung) for group in missing]
        for index, results in self.executor.run(jobs):
            if not isinstance(results, tuple):
                raise TypeError(f"a training gave a {type(results).__name__}")
            for place, trained in zip(missing[index], results, strict=True):
                candidate = _at(runners[place][0], rung)
                if trained.state is not None:  # before the evaluation, which says that this rung is done
                    self.store.put_state(self.arm, candidate.proposal.number, rung, trained.state)
                if evaluations[place] is not None:
                    continue
                evaluations[place] = trained.evaluation
                self.store.record(candidate.proposal, trained.evaluation)
                self.told(candidate, trained.evaluation, True)
        result = [evaluation for evaluation in evaluations if evaluation is not None]
        if len(result) < len(runners):
            raise RuntimeError(f"the executor gave {len(result)} results for {len(runners)} candidates")
        return result

    def _entry(self, runner: Runner, rung: int) -> Entry:
        candidate, screening = runner
        state = self.store.state(self.arm, candidate.proposal.number, rung - 1) if rung else None
        return Entry(str(candidate.tree), screening, state)

    def _individual(self, candidate: Candidate, evaluation: Evaluation, rung: int) -> Individual:
        with_size = self.settings.selection == "nsga2"
        return individual(candidate.tree, _at(candidate, rung).proposal, evaluation, with_size=with_size)


def even_groups(count: int, most: int) -> list[range]:
    """The numbers below `count` in as few groups of at most `most` as there must be, none much smaller than another.

    Nothing but the count decides, so that the same students are together on any number of workers.
    """
    groups = -(-count // most)
    bounds = [count * group // groups for group in range(groups + 1)] if groups else [0]
    return [range(first, end) for first, end in pairwise(bounds)]


def _at(candidate: Candidate, rung: int) -> Candidate:
    """The candidate with the record of this rung."""
    return replace(candidate, proposal=replace(candidate.proposal, rung=rung))
