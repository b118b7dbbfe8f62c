"""A pool of workers: their states, jobs and deadlines; a `Crew` starts and ends them.

One thread, no locks: the pool acts while jobs are submitted and waited for. Every worker has a place of its own with a
line of its own to it, so that the end of one worker touches the job it had and no other.
"""

import time
from dataclasses import dataclass
from typing import Literal, Protocol

from kdzero_gp.execute.attempt import Fault
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.jobs import Attempt
from kdzero_gp.execute.protocol import AnyJob, Result
from kdzero_gp.execute.queued import ATTEMPTS, ExecutorError, QueuedExecutor

START_LIMIT = 1800.0
"""Seconds in which at least one worker has to become ready: it may have to load data and train a teacher."""


class WorkerError(ExecutorError):
    """Workers that cannot start, though this process could build their evaluator."""


@dataclass(frozen=True)
class Event:
    """A change of a worker's state.

    Attributes:
        kind: it is ready for a first job; it cannot start; it is done with its job; it is dead.
        value: the outcome of the job, or why there is none.
    """

    place: int
    kind: Literal["ready", "broken", "done", "dead"]
    value: Result | Fault | str = ""


class Crew(Protocol):
    """Workers by place, of one kind."""

    def start(self, place: int) -> None:
        """Starts a worker and does not wait for it: it will be ready, broken or dead."""
        ...

    def give(self, place: int, job: AnyJob, *, free: bool) -> None:
        """Gives a job to a worker that has none: it will be done or dead."""
        ...

    def kill(self, place: int) -> None:
        """Ends a worker at once, even in the middle of a job; no event follows."""
        ...

    def events(self, seconds: float | None) -> list[Event]:
        """Lists the events that happened; waits up to so many seconds for the first."""
        ...

    def close(self) -> None:
        """Ends all workers at once."""
        ...


@dataclass(frozen=True)
class _Running:
    attempt: Attempt
    started: float
    limit: float | None

    @property
    def end(self) -> float:
        return float("inf") if self.limit is None else self.started + self.limit


class Pool(QueuedExecutor):
    """Runs jobs on a crew. A worker starts when there is work for it, and again when it died.

    Args:
        deadlines: beyond a job's, its worker is killed and the job's candidates have the status `timeout`.
        attempts: at a job whose worker dies, before its candidate is `worker_lost`.
    """

    def __init__(self, workers: int, crew: Crew, deadlines: Deadlines | None, attempts: int = ATTEMPTS) -> None:
        super().__init__(workers, attempts)
        self.crew = crew
        self.deadlines = deadlines or Deadlines()
        self._clear()

    def submit(self, job: AnyJob) -> int:
        """Hands a job over, to a worker at once if one is ready; returns its ticket. Tickets count from 0."""
        ticket = super().submit(job)
        self._hand_out()
        return ticket

    def close(self) -> None:
        """Ends the workers without waiting for what they are at; jobs not finished are dropped."""
        super().close()
        self._clear()
        self.crew.close()

    def _clear(self) -> None:
        self._starting: dict[int, float] = {}
        self._idle: set[int] = set()
        self._busy: dict[int, _Running] = {}
        self._stillborn = 0

    def _step(self) -> None:
        self._hand_out()
        for event in self.crew.events(self._patience()):
            self._handle(event)
        self._end_overdue()
        self._hand_out()

    def _hand_out(self) -> None:
        """Gives every ready worker a job, and starts as many workers as there are jobs left."""
        while self._idle and (attempt := self._queue.take()) is not None:
            place = min(self._idle)
            self._idle.remove(place)
            self._busy[place] = _Running(attempt, time.monotonic(), self.deadlines(attempt.job))
            self.crew.give(place, attempt.job, free=attempt.free)
        for place in range(self.workers):
            if len(self._starting) >= self._queue.waiting:
                break
            if place not in self._starting and place not in self._busy:
                self.crew.start(place)
                self._starting[place] = time.monotonic()

    def _patience(self) -> float | None:
        """Computes the seconds until the next deadline, which no event announces."""
        ends = [running.end for running in self._busy.values()]
        if not ends:
            ends = [started + START_LIMIT for started in self._starting.values()]
        end = min(ends, default=float("inf"))
        return None if end == float("inf") else max(0.0, end - time.monotonic())

    def _handle(self, event: Event) -> None:
        place, value = event.place, event.value
        if event.kind == "ready":
            del self._starting[place]
            self._stillborn = 0
            self._idle.add(place)
        elif event.kind == "broken":
            del self._starting[place]
            raise WorkerError(f"a worker cannot start ({value})")
        elif event.kind == "done" and not isinstance(value, str):
            self._idle.add(place)
            self._queue.settle(self._busy.pop(place).attempt, value)
        elif place in self._busy:
            running = self._busy.pop(place)
            self._queue.settle(running.attempt, Fault("worker_lost", time.monotonic() - running.started, str(value)))
        elif place in self._starting:
            del self._starting[place]
            self._stillborn += 1
            if self._stillborn >= self._queue.attempts:
                raise WorkerError(f"a worker died {self._stillborn} times while it started ({value})")
        else:
            self._idle.discard(place)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for place, running in list(self._busy.items()):
            if running.end <= now:
                del self._busy[place]
                self.crew.kill(place)
                message = f"took longer than {running.limit:g} s"
                self._queue.settle(running.attempt, Fault("timeout", now - running.started, message))
        if not self._busy and not self._idle and any(now - at > START_LIMIT for at in self._starting.values()):
            raise WorkerError(f"no worker was ready {START_LIMIT:g} s after its start")
