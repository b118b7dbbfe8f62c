"""The table of a comparison in its folder: `table.txt`, `table.csv`, `table.json`, `table.svg` and `table.png`."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdzero_gp.compare.plot import write_plot
from kdzero_gp.compare.statistics import Row
from kdzero_gp.store.json_text import encode
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.whole_file import write_whole

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
        left_out: by name, why a method of `all` or `trees` is not in it.
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
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> TaskKind:
        """The kind of task, which says what the numbers are."""
        return kind_of(self.settings.get("task", DEFAULT))


def write_report(folder: Path, rows: Sequence[Row], facts: Facts) -> None:
    """Writes all five files in place of earlier ones.

    Raises:
        StoreError: one cannot be written.
    """
    write_whole(folder / "table.txt", [text_of(rows, facts)], then=THEN)
    write_whole(folder / "table.csv", [csv_of(rows, facts.seeds, facts.kind)], then=THEN)
    write_whole(folder / "table.json", [json_of(rows, facts)], then=THEN)
    write_plot(folder, rows, title=facts.title, epochs=facts.epochs, seeds=facts.seeds, measure=facts.kind.quality)


def text_of(rows: Sequence[Row], facts: Facts) -> str:
    """Writes the table as a terminal shows it, without colours."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, color_system=None)
    print_table(console, rows, facts)
    console.print(f"{facts.hardware}; {facts.date}", highlight=False, markup=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def print_table(console: Console, rows: Sequence[Row], facts: Facts) -> None:
    """Shows the table and what its columns mean."""
    console.print(comparison_table(rows, title=facts.title, epochs=facts.epochs, seeds=facts.seeds, kind=facts.kind))
    lines = [*footnotes(rows, facts.baseline, facts.student_parameters, facts.teacher_accuracy)]
    for line in [*lines, *(f"left out: {name}: {why}" for name, why in facts.left_out.items())]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def csv_of(rows: Sequence[Row], seeds: int, kind: TaskKind | None = None) -> str:
    """Writes one line for each method; shares and gains in percent and points, what is not known is empty.

    Args:
        kind: of the task, by default classification.
    """
    kind = kind or kind_of()
    quality, further = f"{kind.quality.key}_percent", [f"{measure.key}_percent" for measure in kind.further]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ("method", "kind", quality, "std", "n", "gain_points", "p", "p_holm", "pairs", *further)
    more = ("size", "learned_parameters", "seconds", "failed", "formula", "source")
    writer.writerow([*names, *(f"seed_{number}_percent" for number in range(seeds)), *more])
    for row in rows:
        first = [row.label, row.kind, _percent(row.mean), _percent(row.std), row.trained, _percent(row.gain)]
        tests = [row.p_value, row.p_holm, row.pairs, *(_percent(row.top5_mean) for _ in further)]
        last = [row.size, row.learned, row.seconds, len(row.errors), row.formula, row.source]
        writer.writerow([*first, *tests, *(_percent(value) for value in row.accuracy), *last])
    return buffer.getvalue()


def json_of(rows: Sequence[Row], facts: Facts) -> str:
    """Writes everything: the rows with tracebacks, and what they depend on. Shares are in 0 … 1."""
    plain = [asdict(row) | {"errors": {str(seed): text for seed, text in row.errors.items()}} for row in rows]
    known = {name: value for name, value in asdict(facts).items() if name != "left_out" or value}
    record = {"format": "kdzero_gp.comparison.table", "version": 1, **known, "rows": plain}
    return json.dumps(json.loads(encode(record)), indent=1) + "\n"


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 6)


LONGEST = 160
"""Characters of a failure's reason."""


def comparison_table(
    rows: Sequence[Row], *, title: str, epochs: int, seeds: int, kind: TaskKind | None = None
) -> Table:
    """Makes the table of the rows for a terminal, in the order given.

    Args:
        kind: of the task, by default classification.
    """
    kind = kind or kind_of()
    quality, further = kind.quality, [measure.column for measure in kind.further]
    table = Table(title=escape(f"{title}: test {quality.name} of the last of {epochs} epochs, {seeds} seeds"))
    table.add_column("method", overflow="fold")
    for name in (quality.column, "each seed", "gain", "p", "p (Holm)", *further, "nodes", "learned", "s"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("formula or source", overflow="fold")
    for row in rows:
        cells = (
            row.label + (f" ({len(row.errors)} of {seeds} failed)" if row.errors else ""),
            mean_text(row),
            " ".join("failed" if value is None else f"{100 * value:.2f}" for value in row.accuracy),
            "-" if row.gain is None else f"{100 * row.gain:+.2f}",
            p_text(row.p_value),
            p_text(row.p_holm),
            *("-" if row.top5_mean is None else f"{100 * row.top5_mean:.2f}" for _ in further),
            str(row.size) if row.size else "-",
            f"{row.learned:,}" if row.learned else "-",
            "-" if row.seconds is None else f"{row.seconds:.0f}" if row.seconds >= 10 else f"{row.seconds:.1f}",
            row.source if row.kind in ("alone", "method") else row.formula or "",
        )
        table.add_row(*map(escape, cells))
    return table


def mean_text(row: Row) -> str:
    """Writes mean ± standard deviation over the seeds, in percent."""
    if row.mean is None:
        return "-"
    return f"{100 * row.mean:.2f}" + (f" ± {100 * row.std:.2f}" if row.std is not None else "")


def p_text(p_value: float | None) -> str:
    """Writes a p-value to three places."""
    if p_value is None:
        return "-"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def footnotes(rows: Sequence[Row], baseline: str | None, parameters: int, teacher: float) -> Iterator[str]:
    """Says what the columns mean, and why cells are empty."""
    tests = sum(row.p_value is not None for row in rows)
    if baseline is None:
        yield "p: none, since no hand-designed method was trained to test against"
    else:
        pairs = sorted({row.pairs for row in rows if row.label != baseline})
        n = "-".join(map(str, (pairs[0], pairs[-1]) if len(pairs) > 1 else pairs)) or "0"
        yield (
            f"p: two-sided paired t-test against {baseline}, the best hand-designed method, n = {n} pairs of one seed "
            f"each (Holm: corrected for {tests} tests); - where there are fewer than two pairs or no spread among them"
        )
    yield (
        f"student of {parameters:,} parameters; teacher {100 * teacher:.2f} %; gain: over the student alone, points; "
        "learned: parameters trained along and thrown away; s: of one training"
    )
    for row in rows:
        for seed, error in sorted(row.errors.items()):
            yield f"failed: {row.label}, seed {seed}: {reason(error)}"


def reason(error: str) -> str:
    """Takes the last line of a traceback, without what a terminal would act on."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    text = "".join(c if c.isprintable() else "?" for c in (lines[-1] if lines else "unknown"))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
