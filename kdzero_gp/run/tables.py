"""The tables that a terminal shows: results, primitives, taps."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from kdzero_gp.evolve.columns import text_columns
from kdzero_gp.evolve.final import Row
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.taps.tap import Tap, Taps
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.pair_taps import PairTaps


def result_table(rows: Sequence[Row], seeds: int, kind: TaskKind | None = None) -> Table:
    """Makes the final table for a terminal, its rows in the order given.

    Args:
        kind: of the task, by default classification.
    """
    kind = kind or kind_of()
    table = Table(title=f"Test {kind.quality.name}, last epoch, {seeds} fresh seeds")
    columns = text_columns()
    for column in columns:
        table.add_column(escape(column.heading(kind, rows)), overflow="fold", justify=column.align)
    for row in rows:
        table.add_row(*(escape(column.cell(row, kind) or "-") for column in columns))
    return table


def primitive_rows(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """Gives one record per operation: name, kind, types, formula, set and source."""
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
    """Gives the records as a table for a terminal."""
    table = Table("name", "kind", "types", "formula", "set", "source", title="Primitives", show_lines=False)
    for row in rows:
        cells = row["name"], row["kind"], "\n".join(row["types"]), row["formula"], row["space"], row["source"]
        table.add_row(*map(escape, cells))  # a formula's brackets are no markup
    return table


def tap_table(pair: PairTaps, title: str) -> Table:
    """Makes a row for each shared tap, then for those of one network alone, with reasons.

    A network's own name of a stage, the one that `--taps` sets, stands behind it where it is another.
    """
    table = Table("tap", "teacher", "shape", "why", "student", "shape", "why", title=title)
    for name, teacher in pair.shared.teacher.items():
        student = pair.shared.student[name]
        table.add_row(name, *_cells(name, teacher, pair.teacher), *_cells(name, student, pair.student))
    for own, shared, empty in (
        (pair.teacher, pair.shared.teacher, ((), ("", "", ""))),
        (pair.student, pair.shared.student, (("", "", ""), ())),
    ):
        for name, tap in _unshared(own, shared):
            table.add_row("–", *empty[0], f"{tap}, its {name}", _shape(tap), tap.why, *empty[1])
    return table


def _cells(name: str, tap: Tap, own: Taps) -> tuple[str, str, str]:
    original = next(key for key, value in own.items() if value == tap)
    renamed = f", its {original}" if original != name else ""
    return f"{tap}{renamed}", _shape(tap), tap.why


def _shape(tap: Tap) -> str:
    return str(tuple(tap.shape))


def _unshared(own: Taps, shared: Taps) -> Iterable[tuple[str, Tap]]:
    kept = set(shared.values())
    return [(name, tap) for name, tap in own.items() if tap not in kept]
