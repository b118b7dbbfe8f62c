"""The race of a generation: all candidates are trained a little, and the best train on."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.individual import FitnessMaker, Individual
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.protocol import Executor, TrainJob
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation, Proposal

Listener = Callable[[Proposal, Evaluation, bool], None]
"""Is called with every evaluation, and with whether it was made now."""


@dataclass
class Outcome:
    """The result of a race.

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
        """Lists every tree once with its highest evaluation, in the order of the proposals."""
        reached = {individual.proposal.number: individual for rung in self.rungs for individual in rung}
        return [reached[number] for number in sorted(reached)]

    def summary(self) -> list[dict[str, object]]:
        """Computes count, best, median and quartiles of the fitness at every rung."""
        table: list[dict[str, object]] = []
        for rung in self.rungs:
            values = sorted(individual.value for individual in rung)
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

    def __init__(
        self,
        arm: str,
        settings: SearchSettings,
        selection: FitnessMaker,
        executor: Executor,
        store: RunStore,
        listener: Listener,
    ) -> None:
        self.arm = arm
        self.settings = settings
        self.selection = selection
        self.executor = executor
        self.store = store
        self.listener = listener

    def __call__(self, proposals: Sequence[Proposal], screenings: Mapping[int, Screening]) -> Outcome:
        """Races proposals that passed the screening.

        Args:
            screenings: by number of the proposal.
        """
        outcome = Outcome()
        ladder = self.settings.ladder
        last = max((proposal.number for proposal in proposals), default=None)
        for rung in range(len(ladder.ends)):
            proposals = [proposal.at(rung) for proposal in proposals]
            finished = []
            for proposal, evaluation in zip(proposals, self._train(proposals, screenings, rung), strict=True):
                outcome.steps += evaluation.steps
                outcome.statuses["trained" if rung == 0 else f"rung {rung}"] += 1
                if evaluation.status == "ok":
                    finished.append(Individual.of(proposal, evaluation, self.selection))
                else:
                    outcome.statuses[evaluation.status] += 1
            outcome.rungs.append(finished)
            best = sorted(finished, key=lambda each: (each.value, each.tree.size, each.proposal.number))
            promoted = {individual.proposal.number for individual in best[: ladder.promoted(len(best))]}
            proposals = [proposal for proposal in proposals if proposal.number in promoted]
        if last is not None and len(ladder.ends) > 1:
            self.store.drop_states(self.arm, last)
        return outcome

    def _train(self, proposals: Sequence[Proposal], screenings: Mapping[int, Screening], rung: int) -> list[Evaluation]:
        """Trains all proposals up to a rung; returns their evaluations in their order.

        Students that are trained together are so again when a run is resumed, even if only one of them is missing.
        """
        stored = [self.store.get(self.arm, proposal.number, rung) for proposal in proposals]
        evaluations = [None if pair is None else pair[1] for pair in stored]
        groups = even_groups(len(proposals), self.settings.fuse)
        missing = [group for group in groups if any(evaluations[place] is None for place in group)]
        for proposal, evaluation in zip(proposals, evaluations, strict=True):
            if evaluation is not None:
                self.listener(proposal, evaluation, False)
        jobs = [
            TrainJob(tuple(self._candidate(proposals[place], screenings, rung) for place in group), rung)
            for group in missing
        ]
        for index, results in self.executor.run(jobs):
            if not isinstance(results, tuple):
                raise TypeError(f"a training gave a {type(results).__name__}")
            for place, result in zip(missing[index], results, strict=True):
                proposal = proposals[place]
                if result.state is not None:  # before the evaluation, which says that this rung is done
                    self.store.put_state(self.arm, proposal.number, rung, result.state)
                if evaluations[place] is None:
                    evaluation = evaluations[place] = result.without_state()
                    self.store.record(proposal, evaluation)
                    self.listener(proposal, evaluation, True)
        complete = [evaluation for evaluation in evaluations if evaluation is not None]
        if len(complete) < len(proposals):
            raise RuntimeError(f"the executor gave {len(complete)} results for {len(proposals)} candidates")
        return complete

    def _candidate(self, proposal: Proposal, screenings: Mapping[int, Screening], rung: int) -> Candidate:
        state = self.store.state(self.arm, proposal.number, rung - 1) if rung else None
        return screenings[proposal.number].candidate(proposal.tree, state)


def even_groups(count: int, most: int) -> list[range]:
    """Divides the numbers below `count` into the fewest groups of at most `most`, none much smaller than another.

    Nothing but the count decides, so that the same students are together on any number of workers.
    """
    groups = -(-count // most)
    bounds = [count * group // groups for group in range(groups + 1)] if groups else [0]
    return [range(first, end) for first, end in pairwise(bounds)]
