"""An executor, for kdzero_gp/execute/: this process, which logs what it does."""

import logging

from kdzero_gp.execute.executor import Plan, executor
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.execute.protocol import AnyJob, Result

LOG = logging.getLogger(__name__)


class Logged(InProcess):
    """Runs jobs in this process, with a line for each that comes and goes."""

    def submit(self, job: AnyJob) -> int:
        """Hands a job over; returns its ticket."""
        ticket = super().submit(job)
        LOG.warning("job %d is a %s", ticket, type(job).__name__)
        return ticket

    def wait(self) -> tuple[int, Result]:
        """The next finished job's ticket and result."""
        ticket, result = super().wait()
        LOG.warning("job %d gave a %s", ticket, type(result).__name__)
        return ticket, result


@executor("logged", one_process=True)
def start(plan: Plan) -> Logged:
    """Starts one in this process."""
    return Logged(plan.evaluator, deadlines=plan.deadlines)
