"""What an executor is: something that runs evaluation jobs, in any order and on any number of workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdzero_gp.evaluate.evaluator import Entrant, Evaluator, FullResult, FullSplit
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.grammar.parse import parse
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class Job:
    """A candidate's screening or proxy training, as plain data.

    Attributes:
        tree: text form.
        screening: None asks for the screening; the result of it asks for the training.
    """

    tree: str
    screening: Screening | None = None


@dataclass(frozen=True)
class FullJob:
    """A full training with the fresh seeds of this number, measured on a split."""

    entrant: Entrant
    number: int
    split: FullSplit


AnyJob = Job | FullJob
Result = Screening | Evaluation | FullResult
"""A screening that was passed, the evaluation in which a candidate's job ended, or a full training's result."""


class Executor(Protocol):
    """Runs jobs. Results depend on the job alone, never on the order, the worker or their number."""

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Yields (index of the job, result) as jobs finish."""
        ...

    def close(self) -> None:
        """Ends the workers."""
        ...


def perform(evaluator: Evaluator, job: AnyJob) -> Result:
    """Runs one job here."""
    if isinstance(job, FullJob):
        return evaluator.full(job.entrant, job.number, job.split)
    tree = parse(job.tree)
    return evaluator.screen(tree) if job.screening is None else evaluator.train(tree, job.screening)
