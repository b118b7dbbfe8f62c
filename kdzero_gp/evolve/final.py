"""The final table: a few distillers and their rivals, trained in full with fresh seeds and tested once."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kdzero_gp.evaluate.base import Base
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evolve.full_trainings import ALONE, run_full_trainings
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.methods.registry import method
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.kind import TaskKind

Kind = Literal["evolved", "random", "method", "alone"]


@dataclass(frozen=True)
class Row:
    """A row of the final table; shares in 0 … 1, in the order of the seeds, None where a training failed.

    Attributes:
        accuracy: the quality that the kind of task is ranked by, whatever it is; classification's gave it its name,
            which run folders keep.
        gain: mean over seeds of the difference to the student alone.
        p_value: of the two-sided paired t-test against the baseline method; None for it, and where it is undefined.
        fitness: what the search gave it, None for hand-designed ones.
    """

    name: str
    kind: Kind
    tree: str | None = None
    accuracy: tuple[float | None, ...] = ()
    mean: float | None = None
    std: float | None = None
    gain: float | None = None
    p_value: float | None = None
    fitness: float | None = None
    calibration: tuple[float, ...] | None = None
    ce_weight: float = 1.0
    errors: tuple[str, ...] = ()

    @property
    def candidate(self) -> Candidate:
        """The distiller that is trained for it."""
        return Candidate(self.tree, self.calibration, ce_weight=self.ce_weight)


def open_rows(
    arm: Literal["evolve", "random"],
    stages: Sequence[str],
    leaders: Sequence[Individual],
    rivals: Sequence[Individual],
    baseline: str | None,
    base: Base | None = None,
) -> list[Row]:
    """Makes the rows of the final table before their trainings: the best of a run and what they are compared with.

    Args:
        arm: the main one.
        stages: names of the pair's stages.
        leaders: of the main arm, best first.
        rivals: of the random search beside an evolution, best first.
        baseline: name of the hand-designed method that the others are tested against; None leaves it out, and with it
            the best rival and the student alone.
        base: what the trees are added to; the baseline is it alone.
    """
    kind: Kind = "evolved" if arm == "evolve" else "random"
    label = "evolved" if kind == "evolved" else "random search"
    added = "" if base is None else f"{base.name} + "
    rows = [_open_row(f"{added}{label} {number}", kind, leader) for number, leader in enumerate(leaders, 1)]
    if baseline is None:
        return rows
    rows += [_open_row(f"{added}random search", "random", rival) for rival in rivals[:1]]
    chosen = method(baseline)
    if chosen.module is not None:
        return [*rows, Row(baseline, "method", ce_weight=chosen.ce_weight), Row(ALONE, "alone")]
    rows.append(Row(baseline, "method", str(chosen.tree(stages)), ce_weight=chosen.ce_weight))
    return [*rows, Row(ALONE, "alone")]


def _open_row(name: str, kind: Kind, leader: Individual) -> Row:
    calibration = leader.evaluation.calibration
    return Row(name, kind, str(leader.tree), calibration=calibration, fitness=leader.full_fitness)


def run_final(
    rows: Sequence[Row],
    seeds: int,
    executor: Executor,
    store: RunStore,
    kind: TaskKind,
    *,
    base: Base | None = None,
    done: Callable[[str, int], None],
) -> list[Row]:
    """Trains the candidate of every row with every seed; results the store holds are read instead of repeated.

    Args:
        rows: from `open_rows`.
        kind: of the task, which says what rows are ranked by, and against which row they are tested.
        base: what trees are added to; its row is the one that the others are tested against.
        done: is called after every training.

    Returns:
        The rows with their results, by falling mean.
    """
    baseline = kind.baseline if base is None else base.name
    table = run_full_trainings(
        {row.name: _candidate(row, base) for row in rows}, seeds, "test", executor, store, done=done
    )
    reached = {name: [result.part(kind.quality.key) for result in results] for name, results in table.items()}
    filled = [
        replace(
            _fill(row, reached, baseline),
            errors=tuple(result.error for result in table[row.name] if result.error is not None),
        )
        for row in rows
    ]
    return sorted(filled, key=lambda row: (-(row.mean if row.mean is not None else -math.inf), row.name))


def _candidate(row: Row, base: Base | None) -> Candidate:
    """What is trained for a row."""
    if base is None or row.kind == "alone":
        return row.candidate
    return base.alone if row.kind == "method" else base.plus(row.candidate)


def _fill(row: Row, accuracies: Mapping[str, Sequence[float | None]], baseline: str) -> Row:
    own = accuracies[row.name]
    reached = [accuracy for accuracy in own if accuracy is not None]
    alone = _pairs(own, accuracies.get(ALONE, ()))
    against = _pairs(own, accuracies.get(baseline, ())) if row.name != baseline else []
    return replace(
        row,
        accuracy=tuple(own),
        mean=statistics.fmean(reached) if reached else None,
        std=statistics.stdev(reached) if len(reached) > 1 else None,
        gain=statistics.fmean(a - b for a, b in alone) if alone and row.kind != "alone" else None,
        p_value=paired_test(against),
    )


def _pairs(own: Sequence[float | None], other: Sequence[float | None]) -> list[tuple[float, float]]:
    """Pairs the accuracies of the seeds for which both trainings succeeded."""
    return [(a, b) for a, b in zip(own, other, strict=False) if a is not None and b is not None]


def paired_test(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Computes p of the two-sided paired t-test; None below two pairs, or without spread among them."""
    from scipy.stats import ttest_rel  # only here: a page of results is shown without it

    if len(pairs) < 2 or len({round(a - b, 12) for a, b in pairs}) == 1:
        return None
    left, right = zip(*pairs, strict=True)
    return float(ttest_rel(left, right).pvalue)
