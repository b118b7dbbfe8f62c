"""The table of a comparison in its folder: `table.txt`, `table.csv`, `table.json`, `table.svg` and `table.png`."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kdzero_gp.comparison.plot import write_plot
from kdzero_gp.comparison.statistics import Row
from kdzero_gp.comparison.text_table import comparison_table, footnotes
from kdzero_gp.store.json_text import encode
from kdzero_gp.store.run_folder import write_whole

WIDTH = 200
THEN = "give the same command again"


@dataclass(frozen=True)
class Facts:
    """What the numbers of a table depend on.

    Attributes:
        title: the pair and its data.
        seeds: how many, numbered from 0.
        teacher_accuracy: on the test split, 0 … 1.
        baseline: label of the best hand-designed method, None without one.
        settings: as the folder keeps them.
        date: ISO 8601 in UTC, of the table.
        teacher_parameters: how many trained numbers it has; a table may be without.
    """

    title: str
    epochs: int
    seeds: int
    student_parameters: int
    teacher_accuracy: float
    baseline: str | None
    settings: Mapping[str, Any]
    date: str
    hardware: str
    versions: Mapping[str, str]
    teacher_parameters: int | None = None


def write_report(folder: Path, rows: Sequence[Row], facts: Facts) -> None:
    """Writes all five files in place of earlier ones.

    Raises:
        StoreError: one cannot be written.
    """
    write_whole(folder / "table.txt", [text_of(rows, facts)], then=THEN)
    write_whole(folder / "table.csv", [csv_of(rows, facts.seeds)], then=THEN)
    write_whole(folder / "table.json", [json_of(rows, facts)], then=THEN)
    write_plot(folder, rows, title=facts.title, epochs=facts.epochs, seeds=facts.seeds)


def text_of(rows: Sequence[Row], facts: Facts) -> str:
    """The table as a terminal shows it, without colours."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, color_system=None)
    print_table(console, rows, facts)
    console.print(f"{facts.hardware}; {facts.date}", highlight=False, markup=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def print_table(console: Console, rows: Sequence[Row], facts: Facts) -> None:
    """Shows the table and what its columns mean."""
    console.print(comparison_table(rows, title=facts.title, epochs=facts.epochs, seeds=facts.seeds))
    for line in footnotes(rows, facts.baseline, facts.student_parameters, facts.teacher_accuracy):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def csv_of(rows: Sequence[Row], seeds: int) -> str:
    """One line for each method; accuracies and gains in percent and points, what is not known is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ("method", "kind", "accuracy_percent", "std", "n", "gain_points", "p", "p_holm", "pairs", "top5_percent")
    more = ("size", "learned_parameters", "seconds", "failed", "formula", "source")
    writer.writerow([*names, *(f"seed_{number}_percent" for number in range(seeds)), *more])
    for row in rows:
        first = [row.label, row.kind, _percent(row.mean), _percent(row.std), row.trained, _percent(row.gain)]
        tests = [row.p_value, row.p_holm, row.pairs, _percent(row.top5_mean)]
        last = [row.size, row.learned, row.seconds, len(row.errors), row.formula, row.source]
        writer.writerow([*first, *tests, *(_percent(value) for value in row.accuracy), *last])
    return buffer.getvalue()


def json_of(rows: Sequence[Row], facts: Facts) -> str:
    """Everything: the rows with tracebacks, and what they depend on. Shares are in 0 … 1."""
    plain = [asdict(row) | {"errors": {str(seed): text for seed, text in row.errors.items()}} for row in rows]
    record = {"format": "kdzero_gp.comparison.table", "version": 1, **asdict(facts), "rows": plain}
    return json.dumps(json.loads(encode(record)), indent=1) + "\n"


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 6)
