"""The smallest executor: one job after another, in this process."""

from collections.abc import Iterator, Sequence

from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.protocol import AnyJob, Result, perform


class InProcess:
    """Runs jobs with an evaluator of this process."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Yields (index of the job, result) in the order of the jobs."""
        for index, job in enumerate(jobs):
            yield index, perform(self.evaluator, job)

    def close(self) -> None:
        """Nothing to end."""
