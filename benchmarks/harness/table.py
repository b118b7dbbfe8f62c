"""A result's rows as a table of texts, for the terminal and for the README alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.harness.result import Claim, Result, Row, Scalar, write_result

STD = " std"
"""A column `X std` is shown inside column `X`, as mean ± standard deviation."""


@dataclass(frozen=True)
class Table:
    """Texts by row and column; `numeric` tells which columns are set flush right."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    cells: tuple[tuple[str, ...], ...]


def make_table(rows: Sequence[Row]) -> Table:
    """The rows as texts. Lists, such as single trainings, stay in the file; `part` is the table's name."""
    keys = dict.fromkeys(key for row in rows for key in row)
    hidden = {key for key in keys if any(isinstance(row.get(key), list | tuple) for row in rows)} | {"part"}
    hidden |= {key for key in keys if key.endswith(STD) and key.removesuffix(STD) in keys}
    columns = tuple(key for key in keys if key not in hidden)
    numeric = tuple(not any(isinstance(row.get(key), str) for row in rows) for key in columns)
    return Table(columns, numeric, tuple(tuple(_cell(row, key) for key in columns) for row in rows))


def claims_table(claims: Sequence[Claim]) -> Table:
    """The claims as texts."""
    verdicts = {True: "yes", False: "no", None: "not measured"}
    cells = tuple((c.what, _measure(c.measured, c.unit), _measure(c.target, c.unit), verdicts[c.holds]) for c in claims)
    return Table(("claim", "measured", "target", "holds"), (False, True, True, False), cells)


def number_text(value: Scalar) -> str:
    """A value for people: four or so significant digits, thousands set off."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 1 if abs(value) > 100 else 2  # a share of 99.996 % is not to read as all
    return f"{value:.{digits}f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def report(result: Result, out: Path | None, *, console: Console | None = None) -> None:
    """Prints a result, and writes it where `out` says."""
    console = console or Console()
    for rows in result.parts():
        _print(console, str(rows[0].get("part", result.benchmark)), make_table(rows))
    if result.claims:
        _print(console, "claims", claims_table(result.claims))
    console.print(f"{result.hardware}; seeds {', '.join(map(str, result.seeds))}; commit {result.commit}")
    if out is not None:
        console.print(f"written: {write_result(result, out)}", soft_wrap=True)


def _print(console: Console, title: str, table: Table) -> None:
    drawn = RichTable(title=title)
    for name, numeric in zip(table.columns, table.numeric, strict=True):
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for cells in table.cells:
        drawn.add_row(*cells)
    console.print(drawn, markup=False, highlight=False)


def _cell(row: Row, key: str) -> str:
    value, spread = row.get(key), row.get(key + STD)
    if isinstance(value, list | tuple) or isinstance(spread, list | tuple):
        raise TypeError(f"column {key} holds lists and has no text")
    text = number_text(value)  # type: ignore[arg-type]
    return text if spread is None else f"{text} ± {number_text(spread)}"  # type: ignore[arg-type]


def _measure(value: float | None, unit: str) -> str:
    return number_text(value) + (f" {unit}" if unit and value is not None else "")
