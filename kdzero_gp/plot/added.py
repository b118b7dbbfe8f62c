"""`capacity --added`: what every method gains alone, and with the evolved distiller added to it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.comparison_tables import Table, TableRow, read_table, require_same
from kdzero_gp.plot.figure import OUT
from kdzero_gp.plot.files import Numbers, Written, write_figure
from kdzero_gp.plot.gains import Gain, error_note, evolved_row, gain, sum_of, without_sums
from kdzero_gp.plot.style import EVOLVED, INK, METHODS, WIDTH, grid_of, printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = 0.38
"""Width, where methods are 1 apart."""
NARROWEST = 5.6
"""Inches that the legend and the title take."""


@dataclass(frozen=True)
class Panel:
    """One teacher.

    Attributes:
        capacity: what panels are ordered by.
        evolved: gain of the evolved distiller by itself.
        methods: label, gain alone, and gain with the evolved distiller added.
    """

    teacher: str
    teacher_accuracy: float
    capacity: tuple[int, float, str]
    evolved: Gain
    methods: Sequence[tuple[str, Gain, Gain]]


def added_figure(
    folders: Sequence[str | Path],
    *,
    out: str | Path = OUT,
    name: str = "capacity-added",
    evolved: str | None = None,
    methods: Sequence[str] = (),
) -> Written:
    """Draws the gain of methods alone and with the evolved distiller added, a panel for each comparison.

    Args:
        folders: of comparisons whose rows hold both, such as `kd` and `kd + best.json`.
        out, name: where the files go.
        evolved: label of the evolved distiller; None takes the only distiller file.
        methods: labels to show; none shows all that have such a row.

    Raises:
        KdzeroError: a folder is no comparison, or lacks rows; says how they are made.
    """
    tables = [read_table(folder) for folder in folders]
    require_same(folders, tables)
    panels = [panel(folder, table, evolved, methods) for folder, table in zip(folders, tables, strict=True)]
    panels.sort(key=lambda found: found.capacity)
    first = tables[0]
    title = f"{first.name_of('student')} on {first.name_of('data')}, {first.epochs} epochs"
    with printed():
        figure = draw(panels, title)
    said = "; ".join(
        f"{found.teacher}: " + ", ".join(f"{label} {a.mean:+.2f}, added {b.mean:+.2f}" for label, a, b in found.methods)
        for found in panels
    )
    return write_figure(out, name, figure, numbers(panels), title=f"{title}, gain in points: {said}")


def panel(folder: str | Path, table: Table, evolved: str | None, methods: Sequence[str] = ()) -> Panel:
    """Gathers the numbers of one comparison; arguments as of `added_figure`."""
    own = evolved_row(table, evolved)
    known = {row.label: row for row in without_sums(table, own) if row.label != own.label}
    for label in methods:
        if label not in known:
            raise ConfigError(f"{folder} has no method '{label}', but {', '.join(known) or 'none'}; name one of these")
    wanted = [known[label] for label in methods] or [row for row in known.values() if row.kind == "method"]
    sums = {row.label: sum_of(table, row, own) for row in wanted}
    lacking = [label for label, row in sums.items() if row is None]
    if (methods and lacking) or not any(sums.values()):
        raise ConfigError(_what_to_run(folder, lacking, own))
    found = []
    for row in wanted:
        alone, both = _gain(table, row), _gain(table, sums[row.label])
        if alone is not None and both is not None:
            found.append((row.shown, alone, both))
    by_itself = _gain(table, own)
    if by_itself is None or not found:
        raise ConfigError(f"in {folder} these trainings failed; its table.txt says why")
    found.sort(key=lambda method: (-method[1].mean, method[0]))
    return Panel(table.name_of("teacher"), table.teacher_accuracy, table.capacity, by_itself, found)


def _gain(table: Table, row: TableRow | None) -> Gain | None:
    alone = table.alone
    return None if row is None or alone is None else gain(row, alone)


def _what_to_run(folder: str | Path, lacking: Sequence[str], evolved: TableRow) -> str:
    sums = ",".join(f"{label}+evolved={label} + FILE" for label in lacking) or "kd,kd+evolved=kd + FILE"
    return (
        f"{folder} has no row of a method with '{evolved.shown}' added, for {', '.join(lacking) or 'any method'}. Give "
        "the command that made it again with these methods, where FILE is the distiller's best.json:\n"
        f"  python -m kdzero_gp.compare --out {shlex.quote(str(folder))} --methods {shlex.quote(sums)} …"
    )


def draw(panels: Sequence[Panel], title: str) -> Figure:
    """Draws two bars for each method, which begin at 0, the student alone, with the standard error over the seeds."""
    from matplotlib.figure import Figure

    rows, columns = grid_of(len(panels), most=3)
    bars = max(len(found.methods) for found in panels)
    width = min(WIDTH, max(NARROWEST, columns * (1.3 + 0.55 * bars)))
    figure = Figure(figsize=(width, 0.5 + 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        _bars(axes, panels[place])
        axes.label_outer(remove_inner_ticks=False)
        axes.tick_params(labelbottom=True)
    figure.supylabel("gain over the student alone (points)", fontsize=9)
    note = error_note(value for found in panels for method in found.methods for value in method[1:])
    figure.suptitle(f"{title}, {note}", x=0.01, ha="left", fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _bars(axes: Axes, found: Panel) -> None:
    for side, label, colour, values in (
        (-1, "method alone", METHODS[0].colour, [alone for _, alone, _ in found.methods]),
        (+1, "with the evolved distiller added", EVOLVED, [both for _, _, both in found.methods]),
    ):
        axes.bar(
            [place + side * BAR / 2 for place in range(len(values))],
            [value.mean for value in values],
            BAR,
            yerr=[value.error for value in values],
            color=colour,
            label=label,
            hatch="" if side < 0 else "///",
            edgecolor="white",
            linewidth=0.0,
            error_kw={"ecolor": INK, "elinewidth": 0.9, "capsize": 2},
        )
    axes.axhline(found.evolved.mean, color=EVOLVED, linewidth=1.2, linestyle="--", label="evolved distiller alone")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(range(len(found.methods)), [label for label, _, _ in found.methods])
    axes.grid(axis="y")
    axes.set_title(f"teacher {found.teacher} ({100 * found.teacher_accuracy:.1f} %)")


def numbers(panels: Sequence[Panel]) -> Numbers:
    """Lists one line for each teacher and method, and one for the evolved distiller alone."""
    columns = ("teacher", "teacher_accuracy_percent", "method", "evolved_added", "gain_points", "std_points", "seeds")
    rows = []
    for found in panels:
        own = [("", "yes", found.evolved)]
        own += [
            (label, added, value)
            for label, alone, both in found.methods
            for added, value in (("no", alone), ("yes", both))
        ]
        rows += [
            (found.teacher, 100 * found.teacher_accuracy, label, added, value.mean, value.std, len(value.points))
            for label, added, value in own
        ]
    return Numbers(columns, rows)
