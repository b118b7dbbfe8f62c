"""`capacity`: what one student gains from several teachers, by one line for each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.comparison_tables import MAKE, Table, read_table, require_same
from kdzero_gp.plot.files import Numbers, Written, write_figure
from kdzero_gp.plot.gains import Gain, error_note, evolved_row, gain, without_sums
from kdzero_gp.plot.style import INK, WIDTH, Kind, lines, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Capacity:
    """Gains by method and teacher.

    Attributes:
        teachers: name, parameters and test accuracy in percent, from the smallest to the largest.
        texts: of the teachers, for the axis.
        gains: by method, one for each teacher, None where it was not trained.
        evolved: label of the evolved distiller among the methods; None where there is none.
        quality: name of what students are ranked by.
    """

    title: str
    teachers: Sequence[tuple[str, int | None, float]]
    texts: Sequence[str]
    gains: dict[str, Sequence[Gain | None]]
    evolved: str | None
    quality: str = "accuracy"


def capacity_figure(
    folders: Sequence[str | Path],
    *,
    out: str | Path = "figures",
    name: str = "capacity",
    evolved: str | None = None,
    methods: Sequence[str] = (),
) -> Written:
    """Draws the gains over the student alone that several comparisons found, each with another teacher.

    Args:
        folders: of comparisons of one student, data set and recipe.
        out, name: where the files go.
        evolved: label of the evolved distiller; None takes the only distiller file.
        methods: labels to show; none shows all but sums with the evolved distiller.

    Raises:
        KdzeroError: a folder is no comparison, or they cannot stand in one figure.
    """
    data = capacity(folders, evolved=evolved, methods=methods)
    with printed():
        figure = draw(data)
    said = ", ".join(f"{label} {_said(gains)}" for label, gains in data.gains.items())
    return write_figure(out, name, figure, numbers(data), title=f"{data.title}, gain in points: {said}")


def capacity(folders: Sequence[str | Path], *, evolved: str | None = None, methods: Sequence[str] = ()) -> Capacity:
    """The numbers of the figure; arguments as of `capacity_figure`."""
    if len(folders) < 2:
        raise ConfigError(
            f"{len(folders)} comparison is given, but gains under several teachers need one for each of at least two. "
            f"Make another with the same student, data and recipe: {MAKE} --teacher OTHER"
        )
    tables = [read_table(folder) for folder in folders]
    require_same(folders, tables)
    tables = sorted(tables, key=lambda table: table.capacity)
    chosen = _labels(tables, evolved, methods)
    gains = {label: [_gain(table, label) for table in tables] for label in chosen}
    own = next((t.row(label) for t in tables for label in chosen if (r := t.row(label)) and r.kind == "file"), None)
    first = tables[0]
    return Capacity(
        title=f"{first.name_of('student')} on {first.name_of('data')}, {first.epochs} epochs",
        teachers=[(t.name_of("teacher"), t.teacher_parameters, 100 * t.teacher_accuracy) for t in tables],
        texts=[table.teacher_text for table in tables],
        quality=first.task_kind.quality.name,
        gains={label: values for label, values in gains.items() if any(values)},
        evolved=evolved if evolved is not None else own.label if own is not None else None,
    )


def _labels(tables: Sequence[Table], evolved: str | None, methods: Sequence[str]) -> list[str]:
    if methods:
        for table in tables:
            for label in methods:
                if table.row(label) is None:
                    known = ", ".join(row.label for row in table.rows)
                    raise ConfigError(
                        f"the comparison with the teacher {table.name_of('teacher')} has no '{label}', but {known}; "
                        "give the command that made it again with that method among the others"
                    )
        return list(methods)
    found: dict[str, None] = {}
    for table in tables:
        has = any(row.kind in ("file", "text") for row in table.rows)
        rows = without_sums(table, evolved_row(table, evolved)) if has else table.rows
        found |= {row.label: None for row in rows if row.kind != "alone"}
    return list(found)


def _gain(table: Table, label: str) -> Gain | None:
    row, alone = table.row(label), table.alone
    return None if row is None or alone is None else gain(row, alone)


def draw(data: Capacity) -> Figure:
    """One line for each method over the teachers, with the standard error over the seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.75 * WIDTH, 3.1), layout="constrained")
    axes = figure.add_subplot()
    order = sorted(data.gains, key=lambda label: (label != data.evolved, -_last(data.gains[label])))
    kinds: list[Kind] = ["evolved" if label == data.evolved else "method" for label in order]
    step = min(0.06, 0.3 / max(1, len(order)))
    for place, (label, line) in enumerate(zip(order, lines(kinds), strict=True)):
        shift = (place - (len(order) - 1) / 2) * step
        there = [(x + shift, g) for x, g in enumerate(data.gains[label]) if g is not None]
        axes.errorbar(
            [x for x, _ in there],
            [g.mean for _, g in there],
            yerr=[g.error for _, g in there],
            color=line.colour,
            marker=line.marker,
            linestyle=line.dashes,
            linewidth=line.width,
            markersize=5,
            elinewidth=0.8,
            capsize=2,
            label=label,
            zorder=3 if label == data.evolved else 2,
        )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(range(len(data.texts)), data.texts)
    axes.set_xlim(-0.4, len(data.texts) - 0.6)
    axes.grid(axis="y")
    sized = any(parameters for _, parameters, _ in data.teachers)
    axes.set_xlabel(f"teacher, {'its parameters and' if sized else 'and its'} test {data.quality}")
    axes.set_ylabel("gain over the\nstudent alone (points)")
    note = error_note(found for gains in data.gains.values() for found in gains)
    figure.suptitle(f"{data.title}, {note}", x=0.01, ha="left", fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3.2)
    return figure


def numbers(data: Capacity) -> Numbers:
    """One line for each method, teacher and seed's mean."""
    rows = [
        (label, *teacher, found.mean, found.std, len(found.points))
        for label, gains in data.gains.items()
        for teacher, found in zip(data.teachers, gains, strict=True)
        if found is not None
    ]
    columns = ("method", "teacher", "parameters", "teacher_accuracy_percent", "gain_points", "std_points", "seeds")
    return Numbers(columns, rows)


def _last(gains: Sequence[Gain | None]) -> float:
    return next((found.mean for found in reversed(gains) if found is not None), 0.0)


def _said(gains: Sequence[Gain | None]) -> str:
    return " ".join("-" if found is None else f"{found.mean:+.2f}" for found in gains)
