"""The final stage: a few distillers and their rivals, trained in full with fresh seeds and tested once."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import ttest_rel

from kdzero_gp.evaluate.full import Entrant, FullResult
from kdzero_gp.evolve.full_trainings import run_full_trainings
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.store import RunStore

Kind = Literal["evolved", "random", "method", "alone"]


@dataclass(frozen=True)
class Contender:
    """A row of the final table before it is filled.

    Attributes:
        fitness: what the search gave it, None for hand-designed ones.
    """

    name: str
    kind: Kind
    entrant: Entrant
    fitness: float | None = None


@dataclass(frozen=True)
class Row:
    """A row of the final table; shares in 0 … 1, in the order of the seeds, None where a training failed.

    Attributes:
        accuracy: the quality that the kind of task is ranked by, whatever it is; classification's gave it its name,
            which run folders keep.
        gain: mean over seeds of the difference to the student alone.
        p_value: of the two-sided paired t-test against the baseline method; None for it, and where it is undefined.
    """

    name: str
    kind: Kind
    tree: str | None
    accuracy: tuple[float | None, ...]
    mean: float | None
    std: float | None
    gain: float | None
    p_value: float | None
    fitness: float | None
    calibration: tuple[float, ...] | None
    ce_weight: float
    errors: tuple[str, ...]


def run_final(
    contenders: Sequence[Contender],
    seeds: int,
    executor: Executor,
    store: RunStore,
    *,
    baseline: str,
    quality: str,
    done: Callable[[str, int], None],
) -> list[Row]:
    """Trains every contender with every seed; results the store holds are read instead of repeated.

    Args:
        baseline: name of the contender that the others are tested against.
        quality: the part that rows are ranked by.

    Returns:
        Rows by falling mean, whoever comes first.
    """
    entrants = {contender.name: contender.entrant for contender in contenders}
    table = run_full_trainings(entrants, seeds, "test", executor, store, done=done)
    rows = [_row(contender, table, baseline, quality) for contender in contenders]
    return sorted(rows, key=lambda row: (-(row.mean if row.mean is not None else -math.inf), row.name))


def _row(contender: Contender, table: dict[str, list[FullResult]], baseline: str, quality: str) -> Row:
    reached_by = {name: [result.part(quality) for result in results] for name, results in table.items()}
    own = reached_by[contender.name]
    reached = [a for a in own if a is not None]
    alone = _pairs(own, reached_by.get("student alone"))
    against = _pairs(own, reached_by.get(baseline)) if contender.name != baseline else []
    return Row(
        name=contender.name,
        kind=contender.kind,
        tree=contender.entrant.tree,
        accuracy=tuple(own),
        mean=statistics.fmean(reached) if reached else None,
        std=statistics.stdev(reached) if len(reached) > 1 else None,
        gain=statistics.fmean(a - b for a, b in alone) if alone and contender.kind != "alone" else None,
        p_value=_paired_test(against),
        fitness=contender.fitness,
        calibration=contender.entrant.calibration,
        ce_weight=contender.entrant.ce_weight,
        errors=tuple(result.error for result in table[contender.name] if result.error is not None),
    )


def _pairs(own: Sequence[float | None], other: Sequence[float | None] | None) -> list[tuple[float, float]]:
    """The seeds for which both trainings succeeded."""
    return [(a, b) for a, b in zip(own, other or (), strict=False) if a is not None and b is not None]


def _paired_test(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 2 or len({round(a - b, 12) for a, b in pairs}) == 1:
        return None  # without spread among the differences the test is undefined
    left, right = zip(*pairs, strict=True)
    return float(ttest_rel(left, right).pvalue)
