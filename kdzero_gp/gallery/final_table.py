"""The final table of a run, read from its store for display."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from kdzero_gp.evolve.columns import COLUMNS
from kdzero_gp.evolve.final import Kind, Row
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kinds
from kdzero_gp.untrusted import finite_number as finite
from kdzero_gp.untrusted import mapping, printable, sequence, text

LONGEST = 2000
"""Characters of a cell."""


@dataclass(frozen=True)
class FinalTable:
    """The final table and the facts that its numbers depend on."""

    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...]


def final_table(value: Any) -> FinalTable | None:
    """Reads the table by falling mean; None where there is none."""
    table = mapping(value)
    rows = [_row(mapping(row)) for row in sequence(table.get("rows"))]
    if not rows:
        return None
    rows.sort(key=lambda row: -math.inf if row.mean is None else row.mean, reverse=True)
    facts = [(key, text(table[key])) for key in ("split", "seeds", "epochs", "baseline") if key in table]
    return FinalTable(tuple(rows), tuple(facts))


def kind_in(config: Mapping[str, Any]) -> TaskKind:
    """Finds the kind of task of a run; the default one where the configuration names no known kind."""
    known = kinds()
    return known.get(str(config.get("task", DEFAULT)), known[DEFAULT])


def _row(row: Mapping[str, Any]) -> Row:
    tree = row.get("tree")
    return Row(
        name=text(row.get("name", "?")),
        kind=cast(Kind, text(row.get("kind", ""))),
        tree=tree if isinstance(tree, str) else None,
        accuracy=tuple(map(finite, sequence(row.get("accuracy")))),
        mean=finite(row.get("mean")),
        std=finite(row.get("std")),
        gain=finite(row.get("gain")),
        p_value=finite(row.get("p_value")),
        fitness=finite(row.get("fitness")),
        errors=tuple(map(text, sequence(row.get("errors")))),
    )


def column_data(kind: TaskKind, rows: Sequence[Row] = ()) -> list[dict[str, str]]:
    """Makes the columns for the page's script, of a table with these rows."""
    return [
        {"key": column.key, "heading": column.heading(kind, rows), "align": column.align, "form": column.form}
        for column in COLUMNS.values()
    ]


def row_data(row: Row, kind: TaskKind) -> dict[str, Any]:
    """Makes a row for the page's script: its cells as text, and its drawn numbers in per cent."""

    def percent(share: float | None) -> float | None:
        return None if share is None else 100 * share

    cells = {key: column.cell(row, kind) for key, column in COLUMNS.items()}
    return {
        "name": printable(row.name, limit=LONGEST),
        "kind": printable(row.kind, limit=LONGEST),
        "accuracy": [100 * value for value in row.accuracy if value is not None],
        "mean": percent(row.mean),
        "std": percent(row.std),
        "gain": percent(row.gain),
        "cells": {key: None if cell is None else printable(cell, limit=LONGEST) for key, cell in cells.items()},
    }


def facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lists the facts that a run's numbers depend on, from the summary, then from the configuration."""
    names = {
        "pair": "teacher → student",
        "data": "data set",
        "seed": "seed",
        "teacher_accuracy": f"teacher's {kind_in(config).quality.name}",
        "date": "date",
        "seconds": "duration",
        "hardware": "hardware",
        "versions": "versions",
    }
    for key, name in names.items():
        value = summary.get(key)
        number = finite(value)
        if value is None or value == []:
            continue
        if key == "teacher_accuracy" and number is not None:
            yield name, f"{100 * number:.2f} %"
        elif key == "seconds" and number is not None:
            yield name, f"{number:.0f} s" if number < 120 else f"{number / 60:.1f} min"
        else:
            yield name, text(value)
    for key, value in config.items():
        if key not in summary and value is not None:
            yield str(key), text(value)
