"""From trainings to rows: means, gains, and which differences are more than chance."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdzero_gp.compare.entries import Entry, Kind
from kdzero_gp.evaluate.full import FullResult
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """One method over all seeds; shares are in 0 … 1, in the order of the seeds, None where a training failed.

    Attributes:
        formula: text form, None for the student alone.
        source: its paper, or where it comes from.
        accuracy: on the test split at the last epoch, the quality that the kind of task is ranked by, whatever it is;
            classification's gave it its name, which comparison folders keep.
        top5: the further measure of the kind of task; None throughout where there is none.
        gain: mean over the seeds of the difference to the student alone; None for it, and where that is not trained.
        p_value: of the two-sided paired t-test against the best baseline, over the seeds where both succeeded; None for
            that baseline, and where the test is undefined.
        pairs: how many seeds that test has.
        p_holm: the same after Holm's correction for all tests of the table.
        size: nodes of the tree.
        learned: parameters that are trained beside the student's and thrown away.
        seconds: mean time of a training that succeeded.
        errors: by number of the seed, what ended a training that failed.
    """

    label: str
    kind: Kind
    formula: str | None
    source: str
    accuracy: tuple[float | None, ...]
    top5: tuple[float | None, ...]
    mean: float | None
    std: float | None
    top5_mean: float | None
    gain: float | None
    p_value: float | None
    p_holm: float | None
    pairs: int
    size: int
    learned: int
    seconds: float | None
    errors: Mapping[int, str]

    @property
    def trained(self) -> int:
        """How many trainings succeeded."""
        return sum(value is not None for value in self.accuracy)


def make_rows(
    entries: Sequence[Entry],
    results: Mapping[str, Sequence[FullResult]],
    learned: Mapping[str, int],
    kind: TaskKind | None = None,
) -> tuple[list[Row], str | None]:
    """The table.

    Args:
        results: by key of the entry, one for each seed.
        learned: by key, parameters trained beside the student's.
        kind: of the task, by default classification.

    Returns:
        Rows by falling mean, and the label of the best baseline: the hand-designed method of the highest mean.
    """
    kind = kind or kind_of()
    quality, further = kind.quality.key, next((measure.key for measure in kind.further), "")
    reached = {entry.label: [result.part(quality) for result in results[entry.key]] for entry in entries}
    alone = next((reached[entry.label] for entry in entries if entry.kind == "alone"), None)
    means = {
        entry.label: mean
        for entry in entries
        if entry.kind == "method" and (mean := mean_of(reached[entry.label])) is not None
    }
    best = max(means, key=means.__getitem__, default=None)
    tests = {e.label: both(reached[e.label], reached[best]) for e in entries if best is not None and e.label != best}
    p_values = {label: p for label, found in tests.items() if (p := paired_test(found)) is not None}
    corrected = holm(p_values)
    rows = []
    for entry in entries:
        own = results[entry.key]
        accuracy, tree = reached[entry.label], entry.named.tree
        top5 = [result.part(further) for result in own]
        gains = [a - b for a, b in both(accuracy, alone)] if alone is not None and entry.kind != "alone" else []
        row = Row(
            label=entry.label,
            kind=entry.kind,
            formula=None if tree is None else str(tree),
            source=entry.source,
            accuracy=tuple(accuracy),
            top5=tuple(top5),
            mean=mean_of(accuracy),
            std=std_of(accuracy),
            top5_mean=mean_of(top5),
            gain=mean_of(gains),
            p_value=p_values.get(entry.label),
            p_holm=corrected.get(entry.label),
            pairs=len(tests.get(entry.label, ())),
            size=0 if tree is None else tree.size,
            learned=learned.get(entry.key, 0),
            seconds=mean_of([result.seconds for result in own if result.parts is not None]),
            errors={number: result.error for number, result in enumerate(own) if result.error is not None},
        )
        rows.append(row)
    return sorted(rows, key=lambda row: (-(row.mean if row.mean is not None else -math.inf), row.label)), best


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of those that are there."""
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else None


def std_of(values: Sequence[float | None]) -> float | None:
    """The standard deviation, n - 1 in the denominator, of those that are there."""
    there = [value for value in values if value is not None]
    return statistics.stdev(there) if len(there) > 1 else None


def both(own: Sequence[float | None], other: Sequence[float | None]) -> list[tuple[float, float]]:
    """The pairs of the seeds where both succeeded."""
    return [(a, b) for a, b in zip(own, other, strict=True) if a is not None and b is not None]


def paired_test(pairs: Pairs) -> float | None:
    """p of the two-sided paired t-test; None where it is undefined: below two pairs, or without spread among them."""
    from scipy.stats import ttest_rel

    if len(pairs) < 2 or len({round(a - b, 12) for a, b in pairs}) == 1:
        return None
    left, right = zip(*pairs, strict=True)
    return float(ttest_rel(left, right).pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values after the correction for testing several times.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (Scandinavian Journal of Statistics, 1979).
    """
    corrected: dict[str, float] = {}
    highest = 0.0
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = highest
    return corrected
