"""The final table as a user sees it."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from kdzero_gp.evolve.final import Row
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.taps.tap import Tap, Taps
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.pair_taps import PairTaps


def result_table(rows: Sequence[Row], seeds: int, kind: TaskKind | None = None) -> Table:
    """Rows as they stand, by falling mean on the test split.

    Args:
        kind: of the task, by default classification.
    """
    kind = kind or kind_of()
    tested = f"p vs {kind.baseline.upper()}"
    table = Table(title=f"Test {kind.quality.name}, last epoch, {seeds} fresh seeds")
    for name in ("distiller", kind.quality.column, "gain", tested, "validation fitness", "formula"):
        table.add_column(name, overflow="fold", justify="left" if name in ("distiller", "formula") else "right")
    for row in rows:
        failed = f" ({len(row.errors)} of {seeds} failed)" if row.errors else ""
        table.add_row(row.name + failed, accuracy_text(row), gain_text(row), *_rest(row, kind))
    return table


def accuracy_text(row: Row) -> str:
    """Mean ± standard deviation over the seeds, in percent."""
    if row.mean is None:
        return "-"
    return f"{100 * row.mean:.2f}" + (f" ± {100 * row.std:.2f}" if row.std is not None else "")


def gain_text(row: Row) -> str:
    """Mean gain over the student alone, in points."""
    return f"{100 * row.gain:+.2f}" if row.gain is not None else "-"


def _rest(row: Row, kind: TaskKind) -> tuple[str, str, str]:
    p_value = f"{row.p_value:.3f}" if row.p_value is not None else "-"
    fitness = f"{row.fitness:.4f}" if row.fitness is not None else "-"
    return p_value, fitness, row.tree or f"{kind.loss_title} alone"


def primitive_rows(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """One record per operation: name, kind, types, formula, set and source."""
    return [
        {
            "name": operation.name,
            "kind": operation.kind,
            "types": [str(signature) for signature in operation.signatures],
            "formula": operation.formula,
            "space": "extended" if operation.extended else "table1",
            "description": operation.doc.partition("\n")[0],
            "source": operation.source,
        }
        for operation in operations
    ]


def primitive_table(rows: Iterable[dict[str, Any]]) -> Table:
    """The records as a table for a terminal."""
    table = Table("name", "kind", "types", "formula", "set", "source", title="Primitives", show_lines=False)
    for row in rows:
        cells = row["name"], row["kind"], "\n".join(row["types"]), row["formula"], row["space"], row["source"]
        table.add_row(*map(escape, cells))  # a formula's brackets are no markup
    return table


def tap_table(pair: PairTaps, title: str) -> Table:
    """A row for each tap that the networks share, and below those that only one has, by their own names.

    A network's own name of a stage, the one that `--taps` sets, stands behind it where it is another.
    """
    table = Table("tap", "teacher", "shape", "student", "shape", title=title)
    for name, teacher in pair.shared.teacher.items():
        student = pair.shared.student[name]
        table.add_row(name, *_cells(name, teacher, pair.teacher), *_cells(name, student, pair.student))
    for own, shared, empty in (
        (pair.teacher, pair.shared.teacher, ((), ("", ""))),
        (pair.student, pair.shared.student, (("", ""), ())),
    ):
        for name, tap in _unshared(own, shared):
            table.add_row("–", *empty[0], f"{tap}, its {name}", _shape(tap), *empty[1])
    return table


def _cells(name: str, tap: Tap, own: Taps) -> tuple[str, str]:
    original = next(key for key, value in own.items() if value == tap)
    renamed = f", its {original}" if original != name else ""
    return f"{tap}{renamed}", _shape(tap)


def _shape(tap: Tap) -> str:
    return str(tuple(tap.shape))


def _unshared(own: Taps, shared: Taps) -> Iterable[tuple[str, Tap]]:
    kept = set(shared.values())
    return [(name, tap) for name, tap in own.items() if tap not in kept]
