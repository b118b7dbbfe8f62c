"""Worker processes on this machine.

Workers are spawned, so none inherits threads or torch state; each builds its evaluator from the configuration. Trees
travel as text. A worker that dies takes its jobs' results along, so those jobs run once more, one at a time: the one
that kills its worker again is recorded as `worker_lost`.
"""

import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from kdzero_gp.evaluate.evaluator import Evaluator, FinalResult
from kdzero_gp.execute.protocol import AnyJob, FinalJob, Result, perform
from kdzero_gp.store.record import Evaluation

_evaluator: Evaluator | None = None


class Processes:
    """Runs jobs in a pool of worker processes.

    Args:
        workers: how many.
        threads: torch threads of each.
        make_evaluator: a module-level function with picklable arguments bound by `functools.partial`; every worker
            calls it once.
    """

    def __init__(self, workers: int, threads: int, make_evaluator: Callable[[], Evaluator]) -> None:
        self.workers = workers
        self.threads = threads
        self.make_evaluator = make_evaluator
        self._pool: ProcessPoolExecutor | None = None

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Yields (index of the job, result) as jobs finish."""
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

    def _together(self, jobs: Sequence[AnyJob]) -> Generator[tuple[int, Result], None, list[int]]:
        """Runs jobs side by side; returns the indices of those whose worker died."""
        pool = self._open()
        lost: list[int] = []
        futures = {}
        try:
            for index, job in enumerate(jobs):
                futures[pool.submit(_work, job)] = index
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
            return self._open().submit(_work, job).result()
        except BrokenProcessPool:
            self.close()
            return _lost(job, time.perf_counter() - started)

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(self.make_evaluator, self.threads, os.getpid()),
            )
        return self._pool


def _start(make_evaluator: Callable[[], Evaluator], threads: int, parent: int) -> None:
    """Sets a worker up: it leaves Ctrl-C to its parent, and ends when the parent does, however that came about."""
    global _evaluator
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    _evaluator = make_evaluator()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: AnyJob) -> Result:
    if _evaluator is None:
        raise RuntimeError("the worker was not started by _start")
    return perform(_evaluator, job)


def _lost(job: AnyJob, seconds: float) -> Result:
    message = "the worker process died twice on this job"
    if isinstance(job, FinalJob):
        return FinalResult(None, seconds, message)
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
