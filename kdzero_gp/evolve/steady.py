"""The search without generations: whenever a worker is free it gets the next piece of work, so that none waits.

What is proposed depends on what has finished by then, and so on which worker was faster. That order is the only thing
about a steady search that is not a function of its seed: it is written down event by event, before anything follows
from it, and a search over a store that holds such a trace goes the same way, whatever finishes first this time. So a
run is resumed as ever, by running it again.
"""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from deap import tools

from kdzero_gp.errors import StoreError
from kdzero_gp.evaluate.evaluator import Entry, Trained
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.individual import Individual, individual, place
from kdzero_gp.evolve.proposer import Candidate
from kdzero_gp.evolve.race import Outcome
from kdzero_gp.evolve.search import Search, pardoned, was_trained
from kdzero_gp.evolve.shrink import shrunk_weights
from kdzero_gp.evolve.steady_ladder import SteadyLadder
from kdzero_gp.evolve.steady_trace import Trace
from kdzero_gp.execute.protocol import AnyJob, Result, ScreenJob, TrainJob
from kdzero_gp.store.record import Evaluation

SCREEN = -1
"""Stands for the screening where a rung is named."""


@dataclass(frozen=True)
class Flight:
    """A job that is being worked on: the screening of a candidate, or the training of some up to a rung."""

    rung: int
    numbers: tuple[int, ...]

    @property
    def event(self) -> str:
        """Its end, as the trace names it."""
        stage = "screen" if self.rung == SCREEN else f"rung {self.rung}:"
        return f"{stage} {' '.join(map(str, self.numbers))}"


class SteadySearch(Search):
    """One arm of a run, with as many jobs in flight as there are workers.

    The budget is that of `Search`: population x (generations + 1) candidates are trained, and each rung takes no more
    than races of whole generations would send there. A "generation" is as many candidates as a population has, in the
    order in which they finish; it is what reports are made of and what the search space shrinks by. The population is
    what finished last, and the elites.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.ladder = SteadyLadder(self.settings.ladder, self.settings.population, self.settings.generations + 1)
        self._asked = self._entered = self._finished = self._generation_number = self._duplicates = 0
        self._candidates: dict[int, Candidate] = {}
        self._screenings: dict[int, Screening] = {}
        self._passed: deque[int] = deque()
        self._places: dict[int, int] = {}
        self._recent: list[Individual] = []
        self._elite: list[Individual] = []
        self._flying: dict[str, Flight] = {}
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
            self._fill(trace.workers(self.executor.workers))
            if not self._flying:
                break
            event = self._wait_for(trace.ahead)
            trace.note(event)
            self._land(self._flying.pop(event), self._arrived.pop(event))
        self._end_generation()
        if self._candidates and self.settings.ladder.last:
            self.store.drop_states(self.arm, max(self._candidates))
        return sorted(self.trained, key=place)

    def _fill(self, slots: int) -> None:
        while len(self._flying) < slots and (flight := self._next()) is not None:
            self._flying[flight.event] = flight
            stored = self._stored(flight)
            if stored is None:
                self._tickets[self.executor.submit(self._job(flight))] = flight.event
            else:
                self._arrived[flight.event] = stored

    def _next(self) -> Flight | None:
        """What a free worker does: let the best go on, else train who passed the screening, else screen a new tree."""
        most = self.settings.fuse
        if promoted := self.ladder.promote(most):
            return Flight(*promoted)
        if len(self._passed) < most and (candidate := self._propose()) is not None:
            return Flight(SCREEN, (candidate.proposal.number,))
        screening = any(flight.rung == SCREEN for flight in self._flying.values())
        if self._passed and (len(self._passed) >= most or not screening):
            numbers = tuple(self._passed.popleft() for _ in range(min(most, len(self._passed))))
            self._entered += len(numbers)
            return Flight(0, numbers)
        if not self._flying and (promoted := self.ladder.promote_last(most)):
            return Flight(*promoted)
        return None

    def _propose(self) -> Candidate | None:
        screening = sum(flight.rung == SCREEN for flight in self._flying.values())
        room = self.ladder.room[0]
        if self._entered + len(self._passed) + screening >= room or self._asked >= room * self.settings.patience:
            return None
        candidate = self.proposer.propose(self._generation_number, self.population, self.weights)
        if candidate is not None:
            self._asked += 1
            self._funnel["proposed"] += 1
            self._candidates[candidate.proposal.number] = candidate
        return candidate

    def _job(self, flight: Flight) -> AnyJob:
        if flight.rung == SCREEN:
            return ScreenJob(str(self._candidates[flight.numbers[0]].tree))
        entries = []
        for number in flight.numbers:
            state = self.store.state(self.arm, number, flight.rung - 1) if flight.rung else None
            entries.append(Entry(str(self._candidates[number].tree), self._screenings[number], state))
        return TrainJob(tuple(entries), flight.rung)

    def _stored(self, flight: Flight) -> Result | None:
        """The result of a job as the store has it."""
        found = [self.store.get(self.arm, number, max(0, flight.rung)) for number in flight.numbers]
        evaluations = [both[1] for both in found if both is not None]
        if len(evaluations) < len(found):
            return None
        if flight.rung != SCREEN:
            return tuple(Trained(evaluation, None) for evaluation in evaluations)
        stored = evaluations[0]
        return Screening(None, stored.calibration, stored.fingerprint) if was_trained(stored) else stored

    def _wait_for(self, event: str | None) -> str:
        """The event that comes next: the trace's, else whichever job is done first."""
        if event is not None and event not in self._flying:
            raise StoreError(
                f"{self.store.folder} says that `{event}` came next, but this run is at {', '.join(self._flying)}: it "
                "does not repeat the one stored. Resume with the program version and options it began with, or take "
                "another --run-dir"
            )
        while not self._arrived if event is None else event not in self._arrived:
            ticket, result = self.executor.wait()
            if ticket in self._tickets:
                self._arrived[self._tickets.pop(ticket)] = result
        return next(iter(self._arrived)) if event is None else event

    def _land(self, flight: Flight, result: Result) -> None:
        if flight.rung == SCREEN:
            self._screened_one(flight.numbers[0], result)
            return
        if not isinstance(result, tuple):
            raise TypeError(f"a training gave a {type(result).__name__}")
        for number, trained in zip(flight.numbers, result, strict=True):
            self._trained_one(number, flight.rung, trained)

    def _screened_one(self, number: int, result: Result) -> None:
        candidate = self._candidates[number]
        if isinstance(result, Screening | Evaluation):
            result = pardoned(candidate, result)
        if isinstance(result, Screening) and result.fingerprint in self._fingerprints:
            result = self._duplicate(result)
        if isinstance(result, Evaluation):
            self._keep(candidate, result)
            self._funnel[result.stage or result.status] += 1
        elif isinstance(result, Screening):
            if result.fingerprint is not None:
                self._fingerprints.add(result.fingerprint)
            self._screenings[number] = result
            self._passed.append(number)
        else:
            raise TypeError(f"a screening gave a {type(result).__name__}")

    def _trained_one(self, number: int, rung: int, trained: Trained) -> None:
        candidate = self._candidates[number]
        candidate = replace(candidate, proposal=replace(candidate.proposal, rung=rung))
        evaluation = trained.evaluation
        if trained.state is not None:
            self.store.put_state(self.arm, number, rung, trained.state)
        self._keep(candidate, evaluation)
        self._outcome.steps += evaluation.steps
        self._outcome.statuses["trained" if rung == 0 else f"rung {rung}"] += 1
        if evaluation.status == "ok":
            with_size = self.settings.selection == "nsga2"
            self._welcome(individual(candidate.tree, candidate.proposal, evaluation, with_size=with_size))
        else:
            self._outcome.statuses[evaluation.status] += 1
        if rung == 0:
            self._finished += 1
            if self._finished % self.settings.population == 0 and self._finished < self.ladder.room[0]:
                self._end_generation()

    def _keep(self, candidate: Candidate, evaluation: Evaluation) -> None:
        fresh = self.store.record(candidate.proposal, evaluation)
        self.observer.evaluated(candidate, evaluation, fresh=fresh)

    def _welcome(self, found: Individual) -> None:
        """Makes one that was trained a member of the population, in place of what it was at a lower rung."""
        self.ladder.add(found)
        self._outcome.rungs[found.rung].append(found)
        if found.rung == 0:
            self.entered.append(found)
        at = self._places.setdefault(found.proposal.number, len(self.trained))
        self.trained[at : at + 1] = [found]
        size = self.settings.population
        if self.settings.selection == "nsga2":
            self.population = tools.selNSGA2([*_without(self.population, found), found], size)
            return
        self._recent = [*_without(self._recent, found), found][-size:]
        self._elite = tools.selBest([*_without(self._elite, found), found], self.settings.elites)
        members = {member.proposal.number: member for member in (*self._elite, *self._recent)}
        self.population = tools.selBest(list(members.values()), size)

    def _end_generation(self) -> None:
        if self.settings.shrink_space and self.arm == "evolve":
            self.weights = shrunk_weights(self.grammar, self.weights, self.entered)
        self._funnel += self._outcome.statuses
        self._funnel["duplicate"] = self.proposer.duplicates - self._duplicates
        self._report(self._generation_number, self._outcome, time.perf_counter() - self._since)
        self._generation_number += 1
        self._duplicates = self.proposer.duplicates
        self._funnel, self._outcome, self._since = Counter(), self._no_outcome(), time.perf_counter()

    def _no_outcome(self) -> Outcome:
        return Outcome(rungs=[[] for _ in self.settings.ladder.ends])


def _without(members: Sequence[Individual], found: Individual) -> list[Individual]:
    return [member for member in members if member.proposal.number != found.proposal.number]
