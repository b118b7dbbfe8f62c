"""Worker processes on this machine.

Workers are spawned, so none inherits threads or torch state; each builds its evaluator from the configuration. Trees
travel as text.

The pool is our own, on `multiprocessing.connection`. Pebble's, which also kills what hangs, has one pipe with one lock
for all its workers: a worker killed while it sends the state of a student, which is more than a pipe holds, leaves half
a message and a held lock to all the others. `concurrent.futures` ends all workers when one dies. And neither can give
each worker its own environment at birth, which is how a GPU is assigned.
"""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.attempt import attempt
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executor import Plan, executor
from kdzero_gp.execute.output import silence_process
from kdzero_gp.execute.pool import Event, Pool, WorkerError
from kdzero_gp.execute.protocol import AnyJob
from kdzero_gp.execute.queued import ATTEMPTS
from kdzero_gp.execute.spawning import share, spawning

PATIENCE = 10.0
"""Seconds that killed workers get to be gone."""
PR_SET_PDEATHSIG = 1


class Processes(Pool):
    """Runs jobs in a pool of worker processes.

    Args:
        workers: how many.
        make_evaluator: a module-level function with picklable arguments bound by `functools.partial`; every worker
            calls it once.
        devices: dealt to the workers in turn; each sees its own alone. On GPUs name one per worker, `cuda:0`,
            `cuda:1`, …; to the worker's evaluator its GPU is `cuda`.
        threads: of each worker.
        deadlines: beyond a job's, its worker is killed and the job's candidates have the status `timeout`.
        attempts: at a job whose worker dies, before its candidate is `worker_lost`.
    """

    def __init__(
        self,
        workers: int,
        make_evaluator: Callable[[], Evaluator],
        *,
        devices: Sequence[str] = ("cpu",),
        threads: int = 1,
        deadlines: Deadlines | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        environments = [share(device, threads) for device in devices]
        self._processes = _ProcessCrew(make_evaluator, environments)
        super().__init__(workers, self._processes, deadlines, attempts)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run now."""
        return self._processes.pids


@executor("processes")
def start(plan: Plan) -> Processes:
    """Starts a pool of worker processes."""
    return Processes(plan.workers, plan.make, devices=plan.devices, threads=plan.threads, deadlines=plan.deadlines)


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    line: Connection


class _ProcessCrew:
    """Worker processes, each at the end of its own pipe."""

    def __init__(self, make_evaluator: Callable[[], Evaluator], environments: Sequence[dict[str, str]]) -> None:
        self.make_evaluator = make_evaluator
        self.environments = environments
        self._workers: dict[int, _Worker] = {}

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers.values() if worker.process.pid is not None]

    def start(self, place: int) -> None:
        context = multiprocessing.get_context("spawn")
        tied = threading.current_thread() is threading.main_thread()
        line, worker_line = context.Pipe()
        process = context.Process(
            target=work, args=(worker_line, os.getpid(), tied), name=f"kdzero_gp worker {place}", daemon=True
        )
        with worker_line, spawning(self.environments[place % len(self.environments)]):
            process.start()
        self._workers[place] = _Worker(process, line)
        try:
            line.send(self.make_evaluator)
        except OSError:
            pass  # it is dead already, which the next look at its line will tell
        except Exception as error:
            raise WorkerError(
                f"{self.make_evaluator} cannot travel to a worker process ({error}); it must be a function of a module"
            ) from error

    def give(self, place: int, job: AnyJob, *, free: bool) -> None:
        with suppress(OSError):  # as above
            self._workers[place].line.send((job, free))

    def kill(self, place: int) -> None:
        self._end([self._workers.pop(place)])

    def events(self, seconds: float | None) -> list[Event]:
        lines = {worker.line: place for place, worker in self._workers.items()}
        ready = multiprocessing.connection.wait(list(lines), seconds)
        return [self._hear(lines[line]) for line in ready if isinstance(line, Connection)]

    def close(self) -> None:
        workers, self._workers = list(self._workers.values()), {}
        self._end(workers)

    def _hear(self, place: int) -> Event:
        try:
            kind, value = self._workers[place].line.recv()
        except Exception:  # the line is closed, or holds half a message
            worker = self._workers.pop(place)
            worker.process.join(PATIENCE / 10)  # it closed its line, so it is about to end by itself
            self._end([worker])
            return Event(place, "dead", _describe_end(worker.process))
        if kind == "broken":
            self.kill(place)
        return Event(place, kind, value)

    @staticmethod
    def _end(workers: Sequence[_Worker]) -> None:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join(PATIENCE)
            worker.line.close()


def _describe_end(process: SpawnProcess) -> str:
    code = process.exitcode
    if code is None or code >= 0:
        return f"a worker process ended with exit code {code}"
    return f"a worker process was ended by signal {-code} ({signal.strsignal(-code)})"


def work(line: Connection, parent: int, tied: bool) -> None:
    """Runs a worker process: it builds its evaluator, then answers job after job until its line to the parent ends.

    Args:
        line: gives the function that makes the evaluator, and then jobs; takes (kind, value) of `Event`.
        parent: process id.
        tied: whether the kernel may end this process with the thread that started it.
    """
    silence_process()
    _end_with(parent, tied)
    try:
        evaluator = line.recv()()
    except Exception as error:
        line.send(("broken", f"{type(error).__name__}: {error}"))
        return
    line.send(("ready", ""))
    while True:
        try:
            job, free = line.recv()
        except EOFError:
            return
        line.send(("done", attempt(evaluator, job, free=free)))


def _end_with(parent: int, tied: bool) -> None:
    """Ends this process when its parent ends.

    A thread watches the parent. On Linux the kernel does so too, since a thread cannot act while compiled code keeps
    the interpreter to itself.
    """
    if tied and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
