"""Jobs for a `FaultyEvaluator`, and what tests look at in their results."""

from dataclasses import dataclass
from pathlib import Path

from kdzero_gp.evaluate.evaluator import Entry, Trained
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import AnyJob, Executor, FullJob, Result, TrainJob

HANGING = {"hang", "spin"}


@dataclass(frozen=True)
class FaultyDeadlines(Deadlines):
    """Short for what hangs; whatever works has all the time that a busy machine may take for it."""

    def __call__(self, job: AnyJob) -> float | None:
        match job:
            case TrainJob(entries):
                hangs = any(entry.tree in HANGING for entry in entries)
            case FullJob(entrant):
                hangs = entrant.tree in HANGING
            case _:
                hangs = False
        return super().__call__(job) if hangs else 300.0


def entry(tree: str, state: bytes | None = None) -> Entry:
    return Entry(tree, Screening(None, (2.0,), f"print of {tree}"), state)


def job(*trees: str, rung: int = 0) -> TrainJob:
    return TrainJob(tuple(map(entry, trees)), rung)


def only(executor: Executor, *trees: str) -> tuple[Trained, ...]:
    """The result of a single training."""
    ((index, result),) = executor.run([job(*trees)])
    assert index == 0
    assert isinstance(result, tuple)
    return result


def statuses(results: Result) -> list[str]:
    """Of a training."""
    assert isinstance(results, tuple)
    return [result.evaluation.status for result in results]


def error(result: Trained) -> str:
    assert result.evaluation.error is not None
    assert result.state is None
    return result.evaluation.error


def attempts(notes: Path) -> list[str]:
    """What the workers began, in this order."""
    return (notes / "attempts").read_text().splitlines()
