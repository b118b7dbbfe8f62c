"""The final table as a user sees it."""

from collections.abc import Sequence

from rich.table import Table

from kdzero_gp.evolve.final import Row


def result_table(rows: Sequence[Row], seeds: int) -> Table:
    """Rows as they stand, by falling mean test accuracy."""
    table = Table(title=f"Test accuracy, last epoch, {seeds} fresh seeds")
    for name in ("distiller", "accuracy %", "gain", "p vs KD", "validation fitness", "formula"):
        table.add_column(name, overflow="fold", justify="left" if name in ("distiller", "formula") else "right")
    for row in rows:
        failed = f" ({len(row.errors)} of {seeds} failed)" if row.errors else ""
        table.add_row(row.name + failed, accuracy_text(row), gain_text(row), *_rest(row))
    return table


def accuracy_text(row: Row) -> str:
    """Mean ± standard deviation over the seeds, in percent."""
    if row.mean is None:
        return "-"
    return f"{100 * row.mean:.2f}" + (f" ± {100 * row.std:.2f}" if row.std is not None else "")


def gain_text(row: Row) -> str:
    """Mean gain over the student alone, in points."""
    return f"{100 * row.gain:+.2f}" if row.gain is not None else "-"


def _rest(row: Row) -> tuple[str, str, str]:
    p_value = f"{row.p_value:.3f}" if row.p_value is not None else "-"
    fitness = f"{row.fitness:.4f}" if row.fitness is not None else "-"
    return p_value, fitness, row.tree or "cross-entropy alone"
