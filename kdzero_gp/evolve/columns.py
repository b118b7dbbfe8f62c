"""The columns of the final table, one list for the console, the gallery's page and the notebook.

A new column is one decorated function, here or in a file that `--primitives` names:

    @column("size", align="right")
    def size(row, kind):
        return None if row.tree is None else str(parse(row.tree).size)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from kdzero_gp.choices import Choices
from kdzero_gp.evolve.final import Row
from kdzero_gp.tasks.kind import TaskKind

Align = Literal["left", "right"]
Form = Literal["text", "code", "seeds"]
Cell = Callable[[Row, TaskKind], str | None]


@dataclass(frozen=True)
class Column:
    """A column of the final table.

    Attributes:
        key: its name in the data of the page.
        name: of the heading; `{quality}` and `{baseline}` stand for what the kind of task ranks by and tests
            against.
        unit: stands behind the name.
        cell: the text in a row of a kind of task's table; None where there is nothing to say.
        form: how the page shows a cell: as text, as a text form, or as a drawing of the row's seeds. Console and
            notebook show the text, and leave drawings out.
    """

    key: str
    name: str
    unit: str
    align: Align
    cell: Cell
    form: Form = "text"

    def heading(self, kind: TaskKind, rows: Iterable[Row] = ()) -> str:
        """Writes name and unit for a kind of task.

        Args:
            rows: of the table; the hand-designed method among them is what the others are tested against.
        """
        baseline = next((row.name for row in rows if row.kind == "method"), kind.baseline)
        shown = baseline.upper() if baseline.isidentifier() else baseline
        return f"{self.name.format(quality=kind.quality.column, baseline=shown)} {self.unit}".strip()


COLUMNS: Choices[Column] = Choices("column")
"""All columns in the order of the table."""


def column(
    key: str, *, name: str | None = None, unit: str = "", align: Align, form: Form = "text"
) -> Callable[[Cell], Cell]:
    """Declares a column by the function that gives its cells.

    Args:
        key, unit, align, form: see `Column`.
        name: by default the key.
    """
    return COLUMNS.declare(key, "", lambda cell: Column(key, name or key, unit, align, cell, form))


def text_columns() -> list[Column]:
    """Lists the columns without drawings."""
    return [each for each in COLUMNS.values() if each.form != "seeds"]


@column("distiller", align="left")
def distiller(row: Row, kind: TaskKind) -> str:
    """Gives the row's name, and how many of its trainings failed."""
    return row.name + (f" ({len(row.errors)} of {len(row.accuracy)} failed)" if row.errors else "")


@column("accuracy", name="{quality}", align="right")
def accuracy(row: Row, kind: TaskKind) -> str | None:
    """Mean ± standard deviation over the seeds."""
    if row.mean is None:
        return None
    scale = kind.quality.scale
    return f"{scale * row.mean:.2f}" + (f" ± {scale * row.std:.2f}" if row.std is not None else "")


@column("gain", align="right")
def gain(row: Row, kind: TaskKind) -> str | None:
    """Mean gain over the student alone, in points."""
    return None if row.gain is None else f"{kind.quality.scale * row.gain:+.2f}"


@column("p_value", name="p vs {baseline}", align="right")
def p_value(row: Row, kind: TaskKind) -> str | None:
    """p of the paired test against the baseline."""
    return None if row.p_value is None else f"{row.p_value:.3f}"


@column("fitness", name="validation fitness", align="right")
def fitness(row: Row, kind: TaskKind) -> str | None:
    """Gives the fitness after full trainings on the validation split."""
    return None if row.fitness is None else f"{row.fitness:.4f}"


@column("seeds", name="each seed", align="left", form="seeds")
def seeds(row: Row, kind: TaskKind) -> str:
    """Gives the accuracy of every seed that was trained with success."""
    return ", ".join(f"{kind.quality.scale * value:.2f}" for value in row.accuracy if value is not None)


@column("formula", align="left", form="code")
def formula(row: Row, kind: TaskKind) -> str:
    """Gives the text form."""
    return row.tree or (row.name if row.kind == "method" else f"{kind.loss_title} alone")
