"""Jobs for a `FaultyEvaluator`, and what tests look at in their results."""

from dataclasses import dataclass
from pathlib import Path

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import AnyJob, Executor, FullJob, Result, TrainJob
from kdzero_gp.store.record import Evaluation

HANGING = {"hang", "spin"}


@dataclass(frozen=True)
class FaultyDeadlines(Deadlines):
    """Short for what hangs; whatever works has all the time that a busy machine may take for it."""

    def __call__(self, job: AnyJob) -> float | None:
        match job:
            case TrainJob(candidates):
                hangs = any(candidate.tree in HANGING for candidate in candidates)
            case FullJob(candidate):
                hangs = candidate.tree in HANGING
            case _:
                hangs = False
        return super().__call__(job) if hangs else 300.0


def candidate(tree: str, state: bytes | None = None) -> Candidate:
    return Candidate(tree, (2.0,), f"print of {tree}", state)


def job(*trees: str, rung: int = 0) -> TrainJob:
    return TrainJob(tuple(map(candidate, trees)), rung)


def only(executor: Executor, *trees: str) -> tuple[Evaluation, ...]:
    """The result of a single training."""
    ((index, result),) = executor.run([job(*trees)])
    assert index == 0
    assert isinstance(result, tuple)
    return result


def statuses(results: Result) -> list[str]:
    """Of a training."""
    assert isinstance(results, tuple)
    return [result.status for result in results]


def error(result: Evaluation) -> str:
    assert result.error is not None
    assert result.state is None
    return result.error


def attempts(notes: Path) -> list[str]:
    """What the workers began, in this order."""
    return (notes / "attempts").read_text().splitlines()
