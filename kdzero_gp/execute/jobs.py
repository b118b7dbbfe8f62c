"""The books of an executor: which jobs wait, what is tried again, and what each ticket's result is in the end.

What is tried again, and why:
- A worker that died may have been the machine's fault: the job runs again, `attempts` times in all.
- Candidates trained together that lost their worker, the deadline or the memory are then tried one by one: that finds
  the culprit and leaves the others their results.
- A candidate alone that runs out of memory is tried once more, after its worker freed what it can.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kdzero_gp.evaluate.evaluator import Trained
from kdzero_gp.execute.attempt import Fault, failed
from kdzero_gp.execute.protocol import AnyJob, Result, TrainJob
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class Task:
    """A job to be attempted, or one of a training's entries.

    Attributes:
        entry: the entry's place in the ticket's own job; None for the whole job.
        deaths: workers that died on it so far.
        free: whether memory is to be freed first, since it did not suffice.
    """

    ticket: int
    job: AnyJob
    entry: int | None = None
    deaths: int = 0
    free: bool = False

    @property
    def together(self) -> bool:
        """Whether it trains several candidates."""
        return isinstance(self.job, TrainJob) and len(self.job.entries) > 1


class Desk:
    """Takes jobs in, hands tasks out, and takes their outcomes.

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
        self._waiting: deque[Task] = deque()
        self._parts: dict[int, dict[int, Trained]] = {}

    @property
    def open(self) -> int:
        """How many jobs are not finished."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """How many tasks nobody works on."""
        return len(self._waiting)

    def add(self, job: AnyJob) -> int:
        """A new job's ticket."""
        ticket = self.tickets
        self.tickets += 1
        self._open[ticket] = job
        self._waiting.append(Task(ticket, job))
        return ticket

    def take(self) -> Task | None:
        """The next task to work on."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, *tasks: Task) -> None:
        """Puts tasks in front of those that wait."""
        self._waiting.extendleft(reversed(tasks))

    def forget(self, tickets: Iterable[int]) -> None:
        """Drops jobs whose results nobody wants any more."""
        dropped = set(tickets)
        self._waiting = deque(task for task in self._waiting if task.ticket not in dropped)
        self.finished = deque(both for both in self.finished if both[0] not in dropped)
        for ticket in dropped:
            self._open.pop(ticket, None)
            self._parts.pop(ticket, None)

    def settle(self, task: Task, outcome: Result | Fault) -> None:
        """Takes what came of a task."""
        if task.ticket not in self._open:
            return
        if isinstance(outcome, Fault):
            self._fault(task, outcome)
        elif isinstance(task.job, TrainJob) and isinstance(outcome, tuple):
            self._trained(task, outcome)
        elif isinstance(outcome, Evaluation) and outcome.status == "oom" and not task.free:
            self.give_back(replace(task, free=True))
        else:
            self._finish(task.ticket, outcome)

    def _fault(self, task: Task, fault: Fault) -> None:
        deaths = task.deaths + (fault.status == "worker_lost")
        if fault.status == "worker_lost" and deaths < self.attempts:
            self.give_back(replace(task, deaths=deaths))
        elif task.together and isinstance(task.job, TrainJob):
            self.give_back(*(_alone(task.ticket, task.job, entry) for entry in range(len(task.job.entries))))
        elif fault.status == "oom" and not task.free:
            self.give_back(replace(task, free=True))
        else:
            if fault.status == "worker_lost":
                fault = replace(fault, message=f"{fault.message}\nthe worker died {deaths} times on this job")
            result = failed(task.job, fault)
            if isinstance(result, tuple):
                self._keep(task, result)
            else:
                self._finish(task.ticket, result)

    def _trained(self, task: Task, results: tuple[Trained, ...]) -> None:
        """Keeps the results of a training, except for candidates that get another chance."""
        job = task.job
        if isinstance(job, TrainJob) and not task.free:
            short = [place for place, trained in enumerate(results) if trained.evaluation.status == "oom"]
            if short and task.together:
                self.give_back(*(_alone(task.ticket, job, entry) for entry in short))
            elif short:
                self.give_back(replace(task, free=True))
                return
            self._keep(task, results, without=short)
        else:
            self._keep(task, results)

    def _keep(self, task: Task, results: tuple[Trained, ...], without: Iterable[int] = ()) -> None:
        left_out = set(without)
        parts = self._parts.setdefault(task.ticket, {})
        for place, trained in enumerate(results):
            if place not in left_out:
                parts[place if task.entry is None else task.entry] = trained
        job = self._open[task.ticket]
        if isinstance(job, TrainJob) and len(parts) == len(job.entries):
            del self._parts[task.ticket]
            self._finish(task.ticket, tuple(parts[place] for place in range(len(parts))))

    def _finish(self, ticket: int, result: Result) -> None:
        del self._open[ticket]
        self.finished.append((ticket, result))


def _alone(ticket: int, job: TrainJob, entry: int) -> Task:
    return Task(ticket, TrainJob((job.entries[entry],), job.rung), entry)
