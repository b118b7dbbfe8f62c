"""The final table of a run, read from its store and made fit to be shown."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdzero_gp.tasks.kinds import DEFAULT, kinds
from kdzero_gp.untrusted import finite_number as finite
from kdzero_gp.untrusted import mapping, sequence, text


@dataclass(frozen=True)
class Row:
    """One row of the final table; shares and gain in per cent."""

    name: str
    kind: str
    tree: str | None
    accuracy: tuple[float, ...]
    mean: float | None
    std: float | None
    gain: float | None
    p_value: float | None
    fitness: float | None


@dataclass(frozen=True)
class FinalTable:
    """The final table and what a number in it depends on."""

    rows: tuple[Row, ...]
    facts: tuple[tuple[str, str], ...]


def final_table(value: Any) -> FinalTable | None:
    """The table by falling mean, or None where there is none."""
    table = mapping(value)
    rows = [_row(mapping(row)) for row in sequence(table.get("rows"))]
    if not rows:
        return None
    rows.sort(key=lambda row: -math.inf if row.mean is None else row.mean, reverse=True)
    facts = [(key, text(table[key])) for key in ("split", "seeds", "epochs", "baseline") if key in table]
    return FinalTable(tuple(rows), tuple(facts))


def quality_of(config: Mapping[str, Any]) -> str:
    """The name of what a run's students are ranked by."""
    known = kinds()
    return known.get(str(config.get("task", DEFAULT)), known[DEFAULT]).quality.name


def _row(row: Mapping[str, Any]) -> Row:
    def percent(key: str) -> float | None:
        number = finite(row.get(key))
        return None if number is None else 100 * number

    accuracy = tuple(100 * a for a in map(finite, sequence(row.get("accuracy"))) if a is not None)
    tree = row.get("tree")
    return Row(
        name=text(row.get("name", "?")),
        kind=text(row.get("kind", "")),
        tree=tree if isinstance(tree, str) else None,
        accuracy=accuracy,
        mean=percent("mean"),
        std=percent("std"),
        gain=percent("gain"),
        p_value=finite(row.get("p_value")),
        fitness=finite(row.get("fitness")),
    )


def facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a number of this run depends on: what the summary says, then the configuration for what it leaves out."""
    names = {
        "pair": "teacher → student",
        "data": "data set",
        "seed": "seed",
        "teacher_accuracy": f"teacher's {quality_of(config)}",
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
