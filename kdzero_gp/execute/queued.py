"""The common part of all executors: tickets for jobs, and the order of results."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from kdzero_gp.errors import KdzeroError
from kdzero_gp.execute.jobs import JobQueue
from kdzero_gp.execute.protocol import AnyJob, Result

ATTEMPTS = 2
"""Attempts at a job whose worker dies."""


class ExecutorError(KdzeroError):
    """An executor that cannot do what it was asked."""


class QueuedExecutor(ABC):
    """An executor over a `JobQueue`, used by one thread; a subclass says how a step of the work is done.

    Args:
        workers: how many jobs it works on at a time.
    """

    def __init__(self, workers: int, attempts: int = ATTEMPTS) -> None:
        for name, value in (("workers", workers), ("attempts", attempts)):
            if value < 1:
                raise ExecutorError(f"{name} is {value}, but must be at least 1")
        self.workers = workers
        self._queue = JobQueue(attempts)

    def submit(self, job: AnyJob) -> int:
        """Hands a job over; returns its ticket. Tickets count from 0."""
        return self._queue.add(job)

    def wait(self) -> tuple[int, Result]:
        """Waits for the next finished job; returns its ticket and result.

        Raises:
            ExecutorError: no job is in flight.
        """
        while not self._queue.finished:
            if not self._queue.open:
                raise ExecutorError("there is no job to wait for; submit one first")
            self._step()
        return self._queue.finished.popleft()

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Submits all jobs; yields (index of the job, result) as they finish. Left early, it drops the rest."""
        places: dict[int, int] = {}
        others: list[tuple[int, Result]] = []
        try:
            for index, job in enumerate(jobs):
                places[self.submit(job)] = index
            while places:
                ticket, result = self.wait()
                if ticket in places:
                    yield places.pop(ticket), result
                else:
                    others.append((ticket, result))
        finally:
            self._queue.forget(places)
            self._queue.finished.extendleft(reversed(others))

    def close(self) -> None:
        """Ends the workers without waiting for what they are at; jobs not finished are dropped."""
        self._queue = JobQueue(self._queue.attempts, first=self._queue.tickets)

    @abstractmethod
    def _step(self) -> None:
        """Does a part of the work, or waits for a part that is done elsewhere."""
