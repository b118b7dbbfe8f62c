"""The plot of a comparison: every seed as a point, mean and standard deviation beside it. SVG and PNG."""

import io
from collections.abc import Sequence
from pathlib import Path

from kdzero_gp.compare.statistics import Row
from kdzero_gp.store.failures import report_failures
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.whole_file import write_whole

COLOURS = {"alone": "#5b6471", "method": "#0f6b67", "file": "#1f5fa9", "text": "#b3560f"}
INK, GRID = "#1a1d22", "#d6dae1"
DPI = 160
TALLEST = 40.0
"""Inches."""


def write_plot(
    folder: Path, rows: Sequence[Row], *, title: str, epochs: int, seeds: int, measure: Measure | None = None
) -> None:
    """Writes `table.svg` and `table.png`; nothing where no training succeeded.

    Equal rows give equal bytes. The axis does not begin at 0, so there are points and no bars, whose lengths would
    mislead.

    Args:
        measure: what the numbers are, by default accuracy.

    Raises:
        StoreError: a file cannot be written.
    """
    measure = measure or kind_of().quality
    rows = [row for row in rows if row.mean is not None]
    if not rows:
        return
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kdzero_gp", "font.size": 10}):
        figure = Figure(figsize=(7.2, min(1.2 + 0.42 * len(rows), TALLEST)), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            colour = COLOURS[row.kind]
            points = [100 * value for value in row.accuracy if value is not None]
            axes.plot(points, [place] * len(points), "o", color=colour, alpha=0.35, markersize=4)
            spread = 100 * (row.std or 0.0)
            axes.errorbar([100 * (row.mean or 0.0)], [place], xerr=[spread], fmt="D", color=colour, capsize=4)
            if row.kind == "alone":
                axes.axvline(100 * (row.mean or 0.0), color=colour, linewidth=0.8, linestyle=":", zorder=0)
        axes.set_yticks(range(len(rows)), [row.label for row in rows], parse_math=False)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize=10, color=INK, parse_math=False)
        plural = "s" if seeds != 1 else ""
        axes.set_xlabel(
            f"test {measure.name} in {measure.unit}, {epochs} epochs, {seeds} seed{plural} (mean ± standard deviation)"
        )
        text, image = io.StringIO(), io.BytesIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
        figure.set_dpi(DPI)
        FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})
    write_whole(folder / "table.svg", [text.getvalue()], then="give the same command again")
    with report_failures("write", folder / "table.png", then="give the same command again"):
        (folder / "table.png").write_bytes(image.getvalue())
