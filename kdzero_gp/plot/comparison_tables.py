"""The tables of comparison folders, read as the untrusted files that they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.store.config_difference import config_differences
from kdzero_gp.store.failures import report_failures
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.untrusted import printable

TABLE = "table.json"
MAKE = "python -m kdzero_gp.compare --methods none,kd,dist,evolved=runs/NAME/best.json --out FOLDER"
MOST_BYTES = 50_000_000
LONGEST = 40
"""Characters of a label in a figure."""
FREE = ("teacher", "taps", "device", "threads")
"""Settings that comparisons of one figure may differ in: the teacher, and what changes the last bits alone."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class TableRow(BaseModel):
    """One method; `accuracy` is of the test split by seed, None where a training failed."""

    model_config = ConfigDict(frozen=True)

    label: str
    kind: Literal["alone", "method", "file", "text"]
    formula: str | None
    accuracy: tuple[Share | None, ...]

    @property
    def shown(self) -> str:
        """The label as a figure can show it."""
        return "student alone" if self.kind == "alone" else printable(self.label, limit=LONGEST)


class Table(BaseModel):
    """A comparison's table, and what it was made under."""

    model_config = ConfigDict(frozen=True)

    format: Literal["kdzero_gp.comparison.table"]
    version: Literal[1]
    title: str
    epochs: Annotated[int, Field(ge=1)]
    teacher_accuracy: Share
    teacher_parameters: Annotated[int, Field(ge=1)] | None = None
    settings: dict[str, Any]
    rows: tuple[TableRow, ...]

    @property
    def capacity(self) -> tuple[int, float, str]:
        """What teachers are ordered by: their parameters where the table says them, then their accuracy."""
        return self.teacher_parameters or 0, self.teacher_accuracy, self.name_of("teacher")

    @property
    def teacher_text(self) -> str:
        """The teacher with its parameters and its test accuracy, for an axis."""
        size = f"{_count(self.teacher_parameters)}\n" if self.teacher_parameters else ""
        return f"{self.name_of('teacher')}\n{size}{100 * self.teacher_accuracy:.1f} %"

    @property
    def task_kind(self) -> TaskKind:
        """The kind of its task.

        Raises:
            ConfigError: there is none of this name.
        """
        return kind_of(str(self.settings.get("task", DEFAULT)))

    def name_of(self, part: Literal["teacher", "student", "data"]) -> str:
        """Tells the name of a part of the pair."""
        given = self.settings.get(part)
        name = given.get("name") if isinstance(given, dict) else None
        return printable(str(name), limit=LONGEST)

    def row(self, label: str) -> TableRow | None:
        """Finds the row of a label."""
        return next((row for row in self.rows if row.label == label), None)

    @property
    def alone(self) -> TableRow | None:
        """The student alone."""
        return next((row for row in self.rows if row.kind == "alone"), None)


def read_table(folder: str | Path) -> Table:
    """Reads the table of a comparison folder.

    Raises:
        StoreError: there is none, or it is none of ours.
        ConfigError: it lacks the student alone, over which gains are counted.
    """
    path = Path(folder) / TABLE
    with report_failures("read", path, then=f"name the folder of a comparison: {MAKE}"):
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    if size > MOST_BYTES:
        raise StoreError(f"{path} has {size:,} bytes, but a table has less than {MOST_BYTES:,}; name another folder")
    try:
        table = Table.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise StoreError(
            f"{path} is not a table that this version reads: {printable(where, limit=LONGEST)}: {fault['msg']}. Give "
            "the command that made it again, or name the folder of another comparison"
        ) from None
    if table.alone is None:
        raise ConfigError(
            f"{folder} has no row of the student alone, over which gains are counted. Add it: give the command that "
            f"made the folder again with `none` among the methods, as in {MAKE.replace('FOLDER', str(folder))}"
        )
    return table


def require_same(folders: Sequence[str | Path], tables: Sequence[Table]) -> None:
    """Sees that tables differ in nothing but the teacher.

    Raises:
        ConfigError: names the settings that differ, or the teacher that two have.
    """
    teachers: dict[str, str | Path] = {}
    for folder, table in zip(folders, tables, strict=True):
        first = teachers.setdefault(str(table.settings.get("teacher")), folder)
        if first is not folder:
            raise ConfigError(f"{first} and {folder} are of one teacher, {table.name_of('teacher')}; name one of them")
        ours, theirs = ({k: v for k, v in t.settings.items() if k not in FREE} for t in (tables[0], table))
        if differing := config_differences(ours, theirs, ()):
            raise ConfigError(
                f"{folder} cannot stand beside {folders[0]}, their settings differ:\n  "
                + "\n  ".join(_said(line) for line in differing)
                + "\nMake both with one student, data set and recipe"
            )


def _count(number: int) -> str:
    """Formats a count with three significant digits: 947, 12.3k, 1.70M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:#.3g}".rstrip(".") + name
    return str(number)


def _said(line: str) -> str:
    return printable(line.replace("the run has", "the first has").replace("was given", "stands here"), limit=400)
