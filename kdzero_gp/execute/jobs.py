"""The queue of an executor: the jobs that wait, further attempts at them, and the result of each ticket.

Jobs are attempted again for three reasons:
- A worker that died may have been the machine's fault: the job runs again, `attempts` times in all.
- Candidates trained together that lost their worker, the deadline or the memory are then trained one by one: that
  finds the one at fault and leaves the others their results.
- A candidate alone that runs out of memory is tried once more, after its worker freed what it can.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kdzero_gp.execute.attempt import Fault, record_fault
from kdzero_gp.execute.protocol import AnyJob, Result, TrainJob
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class Attempt:
    """An attempt to be made at a job, or at the training of one of its candidates.

    Attributes:
        place: the candidate's in the ticket's own job; None for the whole job.
        deaths: workers that died on it so far.
        free: whether memory is to be freed first, since it did not suffice.
    """

    ticket: int
    job: AnyJob
    place: int | None = None
    deaths: int = 0
    free: bool = False

    @property
    def together(self) -> bool:
        """Whether the job trains several candidates."""
        return isinstance(self.job, TrainJob) and len(self.job.candidates) > 1


class JobQueue:
    """Takes jobs in, hands attempts out, and takes their outcomes.

    Args:
        attempts: at a job whose worker dies.
        first: the first ticket.

    Attributes:
        tickets: the next job's ticket.
        finished: (ticket, result) in the order of finishing.
    """

    def __init__(self, attempts: int, first: int = 0) -> None:
        self.attempts = attempts
        self.tickets = first
        self.finished: deque[tuple[int, Result]] = deque()
        self._open: dict[int, AnyJob] = {}
        self._waiting: deque[Attempt] = deque()
        self._parts: dict[int, dict[int, Evaluation]] = {}

    @property
    def open(self) -> int:
        """The number of jobs that are not finished."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """The number of attempts that wait for a worker."""
        return len(self._waiting)

    def add(self, job: AnyJob) -> int:
        """Adds a job and returns its ticket."""
        ticket = self.tickets
        self.tickets += 1
        self._open[ticket] = job
        self._waiting.append(Attempt(ticket, job))
        return ticket

    def take(self) -> Attempt | None:
        """Hands out the next attempt."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, *attempts: Attempt) -> None:
        """Puts attempts in front of those that wait."""
        self._waiting.extendleft(reversed(attempts))

    def forget(self, tickets: Iterable[int]) -> None:
        """Drops jobs without a use for their results."""
        dropped = set(tickets)
        self._waiting = deque(attempt for attempt in self._waiting if attempt.ticket not in dropped)
        self.finished = deque(pair for pair in self.finished if pair[0] not in dropped)
        for ticket in dropped:
            self._open.pop(ticket, None)
            self._parts.pop(ticket, None)

    def settle(self, attempt: Attempt, outcome: Result | Fault) -> None:
        """Takes the outcome of an attempt."""
        if attempt.ticket not in self._open:
            return
        if isinstance(outcome, Fault):
            self._fault(attempt, outcome)
        elif isinstance(attempt.job, TrainJob) and isinstance(outcome, tuple):
            self._take_training(attempt, outcome)
        elif isinstance(outcome, Evaluation) and outcome.status == "oom" and not attempt.free:
            self.give_back(replace(attempt, free=True))
        else:
            self._finish(attempt.ticket, outcome)

    def _fault(self, attempt: Attempt, fault: Fault) -> None:
        deaths = attempt.deaths + (fault.status == "worker_lost")
        if fault.status == "worker_lost" and deaths < self.attempts:
            self.give_back(replace(attempt, deaths=deaths))
        elif attempt.together and isinstance(attempt.job, TrainJob):
            self.give_back(
                *(_alone(attempt.ticket, attempt.job, place) for place in range(len(attempt.job.candidates)))
            )
        elif fault.status == "oom" and not attempt.free:
            self.give_back(replace(attempt, free=True))
        else:
            if fault.status == "worker_lost":
                fault = replace(fault, message=f"{fault.message}\nthe worker died {deaths} times on this job")
            result = record_fault(attempt.job, fault)
            if isinstance(result, tuple):
                self._keep(attempt, result)
            else:
                self._finish(attempt.ticket, result)

    def _take_training(self, attempt: Attempt, results: tuple[Evaluation, ...]) -> None:
        """Keeps the results of a training, except for candidates that get another attempt."""
        job = attempt.job
        if isinstance(job, TrainJob) and not attempt.free:
            short = [place for place, evaluation in enumerate(results) if evaluation.status == "oom"]
            if short and attempt.together:
                self.give_back(*(_alone(attempt.ticket, job, place) for place in short))
            elif short:
                self.give_back(replace(attempt, free=True))
                return
            self._keep(attempt, results, without=short)
        else:
            self._keep(attempt, results)

    def _keep(self, attempt: Attempt, results: tuple[Evaluation, ...], without: Iterable[int] = ()) -> None:
        left_out = set(without)
        parts = self._parts.setdefault(attempt.ticket, {})
        for place, evaluation in enumerate(results):
            if place not in left_out:
                parts[place if attempt.place is None else attempt.place] = evaluation
        job = self._open[attempt.ticket]
        if isinstance(job, TrainJob) and len(parts) == len(job.candidates):
            del self._parts[attempt.ticket]
            self._finish(attempt.ticket, tuple(parts[place] for place in range(len(parts))))

    def _finish(self, ticket: int, result: Result) -> None:
        del self._open[ticket]
        self.finished.append((ticket, result))


def _alone(ticket: int, job: TrainJob, place: int) -> Attempt:
    return Attempt(ticket, TrainJob((job.candidates[place],), job.rung), place)
