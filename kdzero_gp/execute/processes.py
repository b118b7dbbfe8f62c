"""Worker processes on this machine.

Workers are spawned, so none inherits threads or torch state; each builds its evaluator from the configuration. Trees
travel as text. A worker that dies takes its jobs' results along, so those jobs run once more, one at a time: the one
that kills its worker again is recorded as `worker_lost`. A worker that cannot build its evaluator is no fault of any
job: that ends the run, with the cause.
"""

import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from kdzero_gp.errors import KdzeroError
from kdzero_gp.evaluate.evaluator import Evaluator, FullResult
from kdzero_gp.execute.protocol import AnyJob, FullJob, Result, perform
from kdzero_gp.store.record import Evaluation

PATIENCE = 10.0
"""Seconds that killed workers get to be gone."""

_evaluator: Evaluator | str = "the worker was not started"
"""Of a worker process: its evaluator, or why there is none."""


class WorkerError(KdzeroError):
    """Worker processes cannot build what this process could."""


class Processes:
    """Runs jobs in a pool of worker processes.

    Args:
        workers: how many.
        make_evaluator: a module-level function with picklable arguments bound by `functools.partial`; every worker
            calls it once.
    """

    def __init__(self, workers: int, make_evaluator: Callable[[], Evaluator]) -> None:
        self.workers = workers
        self.make_evaluator = make_evaluator
        self._pool: ProcessPoolExecutor | None = None

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Yields (index of the job, result) as jobs finish.

        Raises:
            WorkerError: the workers have no evaluator.
        """
        lost = yield from self._together(jobs)
        for index in lost:
            yield index, self._alone(jobs[index])

    def close(self) -> None:
        """Ends the workers without waiting for what they are at."""
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.kill()
            for process in processes:
                process.join(PATIENCE)

    def _together(self, jobs: Sequence[AnyJob]) -> Generator[tuple[int, Result], None, list[int]]:
        """Runs jobs side by side; returns the indices of those whose worker died."""
        lost: list[int] = []
        futures: dict[Future[Result], int] = {}
        try:
            for index, job in enumerate(jobs):
                futures[self._submit(job)] = index
        except BrokenProcessPool:
            lost += range(len(futures), len(jobs))
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenProcessPool:
                lost.append(futures[future])
                continue
            yield futures[future], result
        if lost:
            self.close()
        return sorted(lost)

    def _alone(self, job: AnyJob) -> Result:
        started = time.perf_counter()
        try:
            return self._submit(job).result()
        except BrokenProcessPool:
            self.close()
            return _lost(job, time.perf_counter() - started)

    def _submit(self, job: AnyJob) -> "Future[Result]":
        """Hands a job over; the pool spawns its workers here, one by one as they are needed."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(self.make_evaluator, os.getpid()),
            )
        with _spawning():
            return self._pool.submit(_work, job)


@contextmanager
def _spawning() -> Iterator[None]:
    """What a worker inherits while it is born.

    Ctrl-C reaches all processes of a terminal, but is the parent's affair from a worker's first moment on: the signal
    stays blocked there. And a worker needs nothing of the parent's main script, which must not run a second time in
    it; so a script that starts a search needs no `if __name__ == "__main__"`.
    """
    main = sys.modules["__main__"]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _start(make_evaluator: Callable[[], Evaluator], parent: int) -> None:
    """Sets a worker up: it ends when its parent does, however that came about, and leaves stdout to it."""
    global _evaluator
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.stdout = sys.stderr
    try:
        _evaluator = make_evaluator()
    except Exception as error:  # an initializer that fails would look like a worker that died
        _evaluator = f"a worker process cannot start ({type(error).__name__}): {error}"


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: AnyJob) -> Result:
    if isinstance(_evaluator, str):
        raise WorkerError(_evaluator)
    return perform(_evaluator, job)


def _lost(job: AnyJob, seconds: float) -> Result:
    message = "the worker process died twice on this job"
    if isinstance(job, FullJob):
        return FullResult(None, seconds, message)
    screening = job.screening
    return Evaluation(
        status="worker_lost",
        stage=None,
        fitness=None,
        parts={},
        calibration=screening.calibration if screening else (),
        fingerprint=screening.fingerprint if screening else None,
        steps=0,
        seed=0,
        seconds=seconds,
        host=platform.node(),
        error=message,
    )
