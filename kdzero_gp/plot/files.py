"""A figure's three files: NAME.svg, NAME.png and NAME.csv with the numbers it shows. The same input, the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdzero_gp.plot.style import printed
from kdzero_gp.store.failures import report_failures
from kdzero_gp.untrusted import printable
from kdzero_gp.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
THEN = "give another --out"
Cell = str | int | float | None


@dataclass(frozen=True)
class Numbers:
    """What a figure shows, as a table; None is an empty cell.

    Attributes:
        columns: their names, with the unit where there is one.
        rows: one cell for each column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Written:
    """Where a figure is."""

    svg: Path
    png: Path
    csv: Path


def write_figure(folder: str | Path, name: str, figure: Figure, numbers: Numbers, *, title: str) -> Written:
    """Writes the three files, each whole, in place of earlier ones.

    Args:
        folder: made where it is missing.
        name: of the files, without ending.
        title: what a screen reader says.

    Raises:
        StoreError: a file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text, image = io.StringIO(), io.BytesIO()
    with printed():
        facts = {"Date": None, "Creator": None, "Title": printable(title)}
        FigureCanvasSVG(figure).print_svg(text, metadata=facts)
        figure.set_dpi(DPI)
        FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})
    folder = Path(folder)
    with report_failures("create", folder, then=THEN):
        folder.mkdir(parents=True, exist_ok=True)
    written = Written(*(folder / f"{name}.{ending}" for ending in ("svg", "png", "csv")))
    write_whole(written.svg, text.getvalue().encode(), then=THEN)
    write_whole(written.png, image.getvalue(), then=THEN)
    write_whole(written.csv, csv_text(numbers).encode(), then=THEN)
    return written


def csv_text(numbers: Numbers) -> str:
    """Writes the table as text, numbers to seven significant digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(numbers.columns)
    for row in numbers.rows:
        writer.writerow([_cell(cell) for cell in row])
    return buffer.getvalue()


def _cell(cell: Cell) -> str | int | None:
    if isinstance(cell, float):
        return f"{cell:.7g}"
    return printable(cell) if isinstance(cell, str) else cell
