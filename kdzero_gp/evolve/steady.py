"""The search without generations: a free worker gets the next job at once.

What is proposed depends on what has finished by then, and so on which worker was faster. That order is the only thing
about a steady search that is not a function of its seed: it is written down event by event, before anything follows
from it, and a search over a store that holds such a trace goes the same way, whatever finishes first this time. So a
run is resumed as ever, by running it again.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from kdzero_gp.errors import StoreError
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.individual import Individual, best_first
from kdzero_gp.evolve.race import Outcome
from kdzero_gp.evolve.search import Search, allow_named_method, empty_funnel
from kdzero_gp.evolve.shrink import shrunk_weights
from kdzero_gp.evolve.steady_ladder import SteadyLadder
from kdzero_gp.evolve.steady_trace import Trace
from kdzero_gp.execute.protocol import AnyJob, Result, ScreenJob, TrainJob
from kdzero_gp.store.record import Evaluation, Proposal

SCREEN = -1
"""The rung of a screening."""


@dataclass(frozen=True)
class RunningJob:
    """A running job: the screening of one proposal, or the training of some up to a rung."""

    rung: int
    numbers: tuple[int, ...]

    @property
    def event(self) -> str:
        """The name of its end in the trace."""
        stage = "screen" if self.rung == SCREEN else f"rung {self.rung}:"
        return f"{stage} {' '.join(map(str, self.numbers))}"


class SteadySearch(Search):
    """One arm of a run, with as many jobs in flight as there are workers.

    The budget is that of `Search`: population x (generations + 1) candidates are trained, and each rung takes no more
    than races of whole generations would send there. A "generation" is as many candidates as a population has, in the
    order in which they finish; it is what reports are made of and what the search space shrinks by. The population
    changes with every result, by the selection scheme's `admit`.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.ladder = SteadyLadder(self.settings.ladder, self.settings.population, self.settings.generations + 1)
        self._asked = self._entered = self._finished = self._generation_number = self._duplicates = 0
        self._proposals: dict[int, Proposal] = {}
        self._passed: deque[int] = deque()
        self._positions: dict[int, int] = {}
        self._running: dict[str, RunningJob] = {}
        self._tickets: dict[int, str] = {}
        self._arrived: dict[str, Result] = {}
        self._outcome = self._no_outcome()
        self._since = time.perf_counter()

    def run(self) -> list[Individual]:
        """Runs until the budget is spent; returns every individual with a fitness, best first.

        Two searches of equal settings and traces return equal lists, interrupted or not.
        """
        trace = Trace(self.store, self.arm)
        while True:
            self._start_jobs(trace.workers(self.executor.workers))
            if not self._running:
                break
            event = self._wait_for(trace.ahead)
            trace.append(event)
            self._take(self._running.pop(event), self._arrived.pop(event))
        self._end_generation()
        if self._proposals and self.settings.ladder.last:
            self.store.drop_states(self.arm, max(self._proposals))
        return sorted(self.trained, key=best_first)

    def _start_jobs(self, slots: int) -> None:
        while len(self._running) < slots and (job := self._next()) is not None:
            self._running[job.event] = job
            stored = self._stored(job)
            if stored is None:
                self._tickets[self.executor.submit(self._as_job(job))] = job.event
            else:
                self._arrived[job.event] = stored

    def _next(self) -> RunningJob | None:
        """Chooses a free worker's job: a promotion, else a training of those that passed, else a new screening."""
        most = self.settings.fuse
        if promoted := self.ladder.promote(most):
            return RunningJob(*promoted)
        if len(self._passed) < most and (proposal := self._propose()) is not None:
            return RunningJob(SCREEN, (proposal.number,))
        screening = any(job.rung == SCREEN for job in self._running.values())
        if self._passed and (len(self._passed) >= most or not screening):
            numbers = tuple(self._passed.popleft() for _ in range(min(most, len(self._passed))))
            self._entered += len(numbers)
            return RunningJob(0, numbers)
        if not self._running and (promoted := self.ladder.promote_last(most)):
            return RunningJob(*promoted)
        return None

    def _propose(self) -> Proposal | None:
        screening = sum(job.rung == SCREEN for job in self._running.values())
        room = self.ladder.room[0]
        if self._entered + len(self._passed) + screening >= room or self._asked >= room * self.settings.patience:
            return None
        proposal = self.proposer.propose(self._generation_number, self.population, self.weights)
        if proposal is not None:
            self._asked += 1
            self._funnel["proposed"] += 1
            self._proposals[proposal.number] = proposal
        return proposal

    def _as_job(self, job: RunningJob) -> AnyJob:
        if job.rung == SCREEN:
            return ScreenJob(self._proposals[job.numbers[0]].tree)
        candidates = []
        for number in job.numbers:
            state = self.store.state(self.arm, number, job.rung - 1) if job.rung else None
            candidates.append(self._screenings[number].candidate(self._proposals[number].tree, state))
        return TrainJob(tuple(candidates), job.rung)

    def _stored(self, job: RunningJob) -> Result | None:
        """Reads the result of a job from the store; None where it is not complete."""
        pairs = [self.store.get(self.arm, number, max(0, job.rung)) for number in job.numbers]
        evaluations = [pair[1] for pair in pairs if pair is not None]
        if len(evaluations) < len(pairs):
            return None
        if job.rung != SCREEN:
            return tuple(evaluations)
        stored = evaluations[0]
        return Screening(None, stored.calibration, stored.fingerprint) if stored.was_trained else stored

    def _wait_for(self, event: str | None) -> str:
        """Waits for the event that the trace names next, or else for the first job that ends."""
        if event is not None and event not in self._running:
            raise StoreError(
                f"{self.store.folder} says that `{event}` came next, but this run is at {', '.join(self._running)}: it "
                "does not repeat the one stored. Resume with the program version and options it began with, or take "
                "another --run-dir"
            )
        while not self._arrived if event is None else event not in self._arrived:
            ticket, result = self.executor.wait()
            if ticket in self._tickets:
                self._arrived[self._tickets.pop(ticket)] = result
        return next(iter(self._arrived)) if event is None else event

    def _take(self, job: RunningJob, result: Result) -> None:
        if job.rung == SCREEN:
            self._take_screening(self._proposals[job.numbers[0]], result)
            return
        if not isinstance(result, tuple):
            raise TypeError(f"a training gave a {type(result).__name__}")
        for number, evaluation in zip(job.numbers, result, strict=True):
            self._take_training(self._proposals[number].at(job.rung), evaluation)

    def _take_screening(self, proposal: Proposal, result: Result) -> None:
        if isinstance(result, Screening | Evaluation):
            result = allow_named_method(proposal, result)
        if isinstance(result, Screening) and result.fingerprint in self._fingerprints:
            result = self._duplicate(result)
        if isinstance(result, Evaluation):
            self._keep(proposal, result)
            self._funnel[result.stage or result.status] += 1
        elif isinstance(result, Screening):
            if result.fingerprint is not None:
                self._fingerprints.add(result.fingerprint)
            self._screenings[proposal.number] = result
            self._passed.append(proposal.number)
        else:
            raise TypeError(f"a screening gave a {type(result).__name__}")

    def _take_training(self, proposal: Proposal, evaluation: Evaluation) -> None:
        rung = proposal.rung
        if evaluation.state is not None:
            self.store.put_state(self.arm, proposal.number, rung, evaluation.state)
        evaluation = evaluation.without_state()
        self._keep(proposal, evaluation)
        self._outcome.steps += evaluation.steps
        self._outcome.statuses["trained" if rung == 0 else f"rung {rung}"] += 1
        if evaluation.status == "ok":
            self._admit(Individual.of(proposal, evaluation, self.selection))
        else:
            self._outcome.statuses[evaluation.status] += 1
        if rung == 0:
            self._finished += 1
            if self._finished % self.settings.population == 0 and self._finished < self.ladder.room[0]:
                self._end_generation()

    def _keep(self, proposal: Proposal, evaluation: Evaluation) -> None:
        fresh = self.store.record(proposal, evaluation)
        self._notify(proposal, evaluation, fresh=fresh)

    def _admit(self, individual: Individual) -> None:
        """Makes a trained individual a member of the population, in place of what it was at a lower rung."""
        self.ladder.add(individual)
        self._outcome.rungs[individual.rung].append(individual)
        if individual.rung == 0:
            self.entered.append(individual)
        position = self._positions.setdefault(individual.proposal.number, len(self.trained))
        self.trained[position : position + 1] = [individual]
        self.population = self.selection.admit(self.population, individual)

    def _end_generation(self) -> None:
        if self.settings.shrink_space and self.arm == "evolve":
            self.weights = shrunk_weights(self.grammar, self.weights, self.entered)
        self._funnel.update(self._outcome.statuses)
        self._funnel["duplicate"] = self.proposer.duplicates - self._duplicates
        self._report(self._generation_number, self._outcome, time.perf_counter() - self._since)
        self._generation_number += 1
        self._duplicates = self.proposer.duplicates
        self._funnel, self._outcome, self._since = empty_funnel(), self._no_outcome(), time.perf_counter()

    def _no_outcome(self) -> Outcome:
        return Outcome(rungs=[[] for _ in self.settings.ladder.ends])
