"""The smallest executor: one job after another, in this process."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.attempt import Fault, attempt
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executor import Plan, executor
from kdzero_gp.execute.protocol import Result
from kdzero_gp.execute.queued import QueuedExecutor
from kdzero_gp.loops.single import DeadlineError


class InProcess(QueuedExecutor):
    """Runs jobs with an evaluator of this process, each when its result is waited for.

    What kills the process kills the run, and what hangs in compiled code hangs it: candidates that might do so need
    worker processes, if only one.
    """

    def __init__(self, evaluator: Evaluator, *, deadlines: Deadlines | None = None) -> None:
        super().__init__(workers=1)
        self.evaluator = evaluator
        self.deadlines = deadlines or Deadlines()

    def _step(self) -> None:
        waiting = self._queue.take()
        if waiting is None:
            return
        started = time.perf_counter()
        outcome: Result | Fault
        try:
            with deadline(self.deadlines(waiting.job)):
                outcome = attempt(self.evaluator, waiting.job, free=waiting.free)
        except DeadlineError as error:  # the alarm rang just behind the work
            outcome = Fault("timeout", time.perf_counter() - started, str(error))
        except BaseException:
            self._queue.give_back(waiting)
            raise
        self._queue.settle(waiting, outcome)


@executor("inprocess", one_process=True)
def start(plan: Plan) -> InProcess:
    """Starts one in this process."""
    return InProcess(plan.evaluator, deadlines=plan.deadlines)


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raises `DeadlineError` inside the block once it took too long.

    It reaches Python code alone: a single call into compiled code is over before it is heard. And only the main thread
    of a program that does not use SIGALRM itself has this alarm; elsewhere nothing happens. Worker processes have
    neither limit, since their parent kills them.
    """
    if seconds is None or not _free():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise DeadlineError(f"took longer than {seconds:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _free() -> bool:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL)[0] == 0
