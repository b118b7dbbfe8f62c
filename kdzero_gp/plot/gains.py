"""Gains over the student alone, seed by seed, and which rows of a table are a method with the evolved term added."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.comparison_tables import Table, TableRow
from kdzero_gp.untrusted import printable


@dataclass(frozen=True)
class Gain:
    """Percentage points of test accuracy over the student alone.

    Attributes:
        points: one for each seed where both trainings succeeded.
    """

    points: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.points)

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds, n - 1 in the denominator; None for one seed."""
        return statistics.stdev(self.points) if len(self.points) > 1 else None

    @property
    def error(self) -> float:
        """Standard error of the mean, 0 where it is unknown."""
        return (self.std or 0.0) / math.sqrt(len(self.points))


def gain(row: TableRow, alone: TableRow) -> Gain | None:
    """Computes the gain seed by seed, of one table; None where no seed has both."""
    pairs = zip(row.accuracy, alone.accuracy, strict=False)
    points = tuple(100 * (ours - theirs) for ours, theirs in pairs if ours is not None and theirs is not None)
    return Gain(points) if points else None


def terms(formula: str | None) -> Counter[str]:
    """Counts the terms of a formula, without weights: an evolved term is the same however it is scaled."""
    return Counter(_body(piece) for piece in _summands((formula or "").replace(" ", "")))


def _summands(text: str) -> Iterator[str]:
    """Tells what stands between `add(`, commas and brackets of sums, in one pass."""
    begin = place = depth = 0
    while place < len(text):
        if place == begin and text.startswith("add(", place):
            begin = place = place + 4
            continue
        if text[place] in ",)" and depth == 0:
            if place > begin:
                yield text[begin:place]
            begin = place + 1
        depth += (text[place] == "(") - (text[place] == ")" and depth > 0)
        place += 1
    if begin < len(text):
        yield text[begin:]


def _body(piece: str) -> str:
    """Gives the distance of `weight(VALUE, distance)`; anything else as it is."""
    inner = piece[7:-1].partition(",")[2] if piece.startswith("weight(") and piece.endswith(")") else ""
    return inner or piece


def evolved_row(table: Table, label: str | None = None) -> TableRow:
    """Finds the row of the evolved distiller: the one of that label, or else the only one of a file that is no sum.

    Raises:
        ConfigError: there is none, or it takes a label to tell.
    """
    where = f"the comparison of {table.name_of('teacher')} -> {table.name_of('student')}"
    if label is not None:
        row = table.row(label)
        if row is None:
            raise ConfigError(f"--evolved is '{label}', but {where} has {_listed([r.label for r in table.rows])}")
        return row
    own = [row for row in table.rows if row.kind in ("file", "text")]
    plain = [row for row in own if not any(_is_sum(row, first, other) for first in table.rows for other in own)]
    found = [row for row in plain if row.kind == "file"] or plain
    if not found:
        raise ConfigError(
            f"{where} has no evolved distiller among {_listed([r.label for r in table.rows])}; give the command that "
            "made it again with evolved=runs/NAME/best.json among the methods"
        )
    if len(found) > 1:
        raise ConfigError(
            f"{where} has several distillers that may be the evolved one, {_listed([r.label for r in found])}; name it "
            "by --evolved LABEL"
        )
    return found[0]


def error_note(gains: Iterable[Gain | None]) -> str:
    """Says what the error bars of gains are."""
    seeds = sorted({len(found.points) for found in gains if found is not None})
    if not seeds or seeds[-1] < 2:
        return "one seed"
    return f"{'-'.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds, bars: standard error of the mean"


def sum_of(table: Table, method: TableRow, evolved: TableRow) -> TableRow | None:
    """Finds the row of a method with the evolved term added; None where it has not been trained."""
    return next((row for row in table.rows if _is_sum(row, method, evolved)), None)


def without_sums(table: Table, evolved: TableRow) -> list[TableRow]:
    """Lists all rows but the student alone and those with the evolved term added."""
    sums = [sum_of(table, row, evolved) for row in table.rows]
    return [row for row in table.rows if row.kind != "alone" and row not in sums]


def _is_sum(row: TableRow, first: TableRow, other: TableRow) -> bool:
    if row.kind == "method" or "alone" in (first.kind, other.kind) or first.label == other.label:
        return False
    return row.label not in (first.label, other.label) and terms(row.formula) == terms(first.formula) + terms(
        other.formula
    )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(f"'{printable(label, limit=40)}'" for label in labels) or "no rows"
