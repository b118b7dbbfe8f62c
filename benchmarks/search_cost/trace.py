"""What a search had found after how many student steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdzero_gp.store.record import Evaluation, Proposal


@dataclass(frozen=True)
class Moment:
    """The incumbent of a search after so many steps."""

    steps: int
    tree: str
    calibration: tuple[float, ...]


def best_so_far(records: Iterable[tuple[Proposal, Evaluation]], *, screening: int = 0) -> list[Moment]:
    """The incumbent after every evaluation, in the order in which they were made.

    A higher rung is better whatever the fitness, and a candidate that failed has spent its steps all the same.

    Args:
        screening: student steps that the screening of one proposal is worth.
    """
    steps, best, incumbent = 0, (1, float("inf")), None
    trace: list[Moment] = []
    for proposal, evaluation in records:
        steps += evaluation.steps + (screening if proposal.rung == 0 else 0)
        if evaluation.fitness is not None and (-proposal.rung, evaluation.fitness) < best:
            best = (-proposal.rung, evaluation.fitness)
            incumbent = (proposal.tree, evaluation.calibration)
        if incumbent is not None:
            trace.append(Moment(steps, *incumbent))
    return trace


def steps_until(points: Sequence[tuple[int, float]], wanted: float) -> int | None:
    """The first number of steps after which the fitness was `wanted` or lower, or None."""
    return next((steps for steps, value in points if value <= wanted), None)
