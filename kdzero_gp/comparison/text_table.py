"""The table of a comparison for a terminal and a text file, and the lines below it."""

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from kdzero_gp.comparison.statistics import Row

LONGEST = 160
"""Characters of a failure's reason."""


def comparison_table(rows: Sequence[Row], *, title: str, epochs: int, seeds: int) -> Table:
    """Rows as they stand, by falling mean test accuracy."""
    table = Table(title=escape(f"{title}: test accuracy of the last of {epochs} epochs, {seeds} seeds"))
    table.add_column("method", overflow="fold")
    for name in ("accuracy %", "each seed", "gain", "p", "p (Holm)", "top-5 %", "nodes", "learned", "s"):
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
            "-" if row.top5_mean is None else f"{100 * row.top5_mean:.2f}",
            str(row.size) if row.size else "-",
            f"{row.learned:,}" if row.learned else "-",
            "-" if row.seconds is None else f"{row.seconds:.0f}" if row.seconds >= 10 else f"{row.seconds:.1f}",
            row.source if row.kind in ("alone", "method") else row.formula or "",
        )
        table.add_row(*map(escape, cells))
    return table


def mean_text(row: Row) -> str:
    """Mean ± standard deviation over the seeds, in percent."""
    if row.mean is None:
        return "-"
    return f"{100 * row.mean:.2f}" + (f" ± {100 * row.std:.2f}" if row.std is not None else "")


def p_text(p_value: float | None) -> str:
    """A p-value to three places."""
    if p_value is None:
        return "-"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def footnotes(rows: Sequence[Row], baseline: str | None, parameters: int, teacher: float) -> Iterator[str]:
    """What the columns mean, and why cells are empty."""
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
    """The last line of a traceback, without what a terminal would act on."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    text = "".join(c if c.isprintable() else "?" for c in (lines[-1] if lines else "unknown"))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
