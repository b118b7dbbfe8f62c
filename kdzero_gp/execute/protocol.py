"""The protocol of executors, which run evaluation jobs in any order and on any number of workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdzero_gp.evaluate.candidate import Candidate, FullSplit, FullTraining, FullTrainings
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.grammar.parse import parse
from kdzero_gp.store.record import Evaluation


@dataclass(frozen=True)
class ScreenJob:
    """A candidate's screening; the tree as text."""

    tree: str


@dataclass(frozen=True)
class TrainJob:
    """The training of candidates up to a rung, all in one program; a single one is trained alone."""

    candidates: tuple[Candidate, ...]
    rung: int


@dataclass(frozen=True)
class FullJob:
    """A full training with the fresh seeds of this number, measured on a split."""

    candidate: Candidate
    number: int
    split: FullSplit


@dataclass(frozen=True)
class FullGroupJob:
    """Full trainings of several candidates with the fresh seeds of one number, all in one program."""

    candidates: tuple[Candidate, ...]
    number: int
    split: FullSplit


AnyJob = ScreenJob | TrainJob | FullJob | FullGroupJob
"""Plain data: texts, numbers and bytes, which any transport can carry."""
Result = Screening | Evaluation | tuple[Evaluation, ...] | FullTraining | FullTrainings
"""Of a screening what it found, or the evaluation it ended in; of a training an evaluation for each candidate; of full
trainings one result or a group's."""


class Executor(Protocol):
    """Runs jobs. Results depend on the job alone, never on the order, the worker or their number.

    Attributes:
        workers: how many jobs it works on at a time.
    """

    workers: int

    def submit(self, job: AnyJob) -> int:
        """Hands a job over; returns its ticket. Tickets count from 0."""
        ...

    def wait(self) -> tuple[int, Result]:
        """Waits for the next finished job; returns its ticket and result."""
        ...

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Submits all jobs; yields (index of the job, result) as they finish."""
        ...

    def close(self) -> None:
        """Ends the workers without waiting for what they are at."""
        ...


def perform(evaluator: Evaluator, job: AnyJob) -> Result:
    """Runs one job here."""
    match job:
        case ScreenJob(tree):
            return evaluator.screen(parse(tree))
        case TrainJob(candidates, rung):
            return evaluator.train(candidates, rung)
        case FullJob(candidate, number, split):
            return evaluator.full(candidate, number, split)
        case FullGroupJob(candidates, number, split):
            return evaluator.full_group(candidates, number, split)
