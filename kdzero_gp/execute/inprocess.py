"""The smallest executor: one job after another, in this process."""

import time

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.training import DeadlineError
from kdzero_gp.execute.alarm import deadline
from kdzero_gp.execute.attempt import Fault, attempt
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Result
from kdzero_gp.execute.queued import Queued


class InProcess(Queued):
    """Runs jobs with an evaluator of this process, each when its result is waited for.

    What kills the process kills the run, and what hangs in compiled code hangs it: candidates that might do so need
    worker processes, if only one.
    """

    def __init__(self, evaluator: Evaluator, *, deadlines: Deadlines | None = None) -> None:
        super().__init__(workers=1)
        self.evaluator = evaluator
        self.deadlines = deadlines or Deadlines()

    def _step(self) -> None:
        task = self._desk.take()
        if task is None:
            return
        started = time.perf_counter()
        outcome: Result | Fault
        try:
            with deadline(self.deadlines(task.job)):
                outcome = attempt(self.evaluator, task.job, free=task.free)
        except DeadlineError as error:  # the alarm rang just behind the work
            outcome = Fault("timeout", time.perf_counter() - started, str(error))
        except BaseException:
            self._desk.give_back(task)
            raise
        self._desk.settle(task, outcome)
