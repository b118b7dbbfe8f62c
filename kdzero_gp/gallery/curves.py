"""The figures of a run: fitness over generations, the funnel, the final table. SVG, the same bytes every time."""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kdzero_gp.gallery.plain_text import printable
from kdzero_gp.gallery.run_view import ARMS, FUNNEL, Generation, Row
from kdzero_gp.gallery.svg_text import cleaned_figure

INK = "#1a1d22"
GRID = "#d6dae1"
COLOURS = {"evolve": "#1f5fa9", "random": "#b3560f"}
KIND_COLOURS = {"evolved": COLOURS["evolve"], "random": COLOURS["random"], "method": "#0f6b67", "alone": "#5b6471"}
VARIABLES = {
    INK: "--ink",
    GRID: "--grid",
    COLOURS["evolve"]: "--evolve",
    COLOURS["random"]: "--random",
    KIND_COLOURS["method"]: "--method",
    KIND_COLOURS["alone"]: "--alone",
}
"""The page sets these in dark mode; elsewhere the colour itself is used."""


def fitness_figure(arms: Mapping[str, Sequence[Generation]]) -> str | None:
    """Best so far, median and middle half of every generation, one colour for each arm; None without any number."""
    with _figure(7.2, 4.2) as (figure, axes):
        spoken = []
        for arm, generations in arms.items():
            name, colour = ARMS.get(arm, arm), COLOURS.get(arm, INK)
            best = _best_so_far(generations)
            if best:
                axes.plot(*zip(*best, strict=True), color=colour, linewidth=2, label=f"{name}: best so far")
                spoken.append(f"{name} ends at {best[-1][1]:.4g}")
            median = [(g.number, g.median) for g in generations if g.median is not None]
            if median:
                numbers, values = zip(*median, strict=True)
                axes.plot(numbers, values, "--", color=colour, linewidth=1, label=f"{name}: median")
            spread = [(g.number, g.low, g.high) for g in generations if g.low is not None and g.high is not None]
            if spread:
                numbers, low, high = zip(*spread, strict=True)
                label = f"{name}: middle half"
                axes.fill_between(numbers, low, high, color=colour, alpha=0.15, linewidth=0, label=label)
        if not axes.lines:
            return None
        axes.set_xlabel("generation")
        axes.set_ylabel("fitness (lower is better)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color=GRID, linewidth=0.6)
        legend = figure.legend(frameon=False, fontsize=9, ncols=len(arms), loc="outside upper center")
        for text in legend.get_texts():
            text.set_color(INK)
        return _svg(figure, "Fitness over the generations, lower is better; " + ", ".join(spoken))


def funnel_figure(arms: Mapping[str, Mapping[str, int]]) -> str | None:
    """How many proposals left the run at which stage, as bars; None without any count."""
    stages = list(dict.fromkeys(stage for counts in arms.values() for stage in counts))
    stages = [s for s in FUNNEL if s in stages] + [s for s in stages if s not in FUNNEL]
    if not stages:
        return None
    with _figure(7.2, 0.6 + 0.42 * len(stages)) as (figure, axes):
        height = 0.8 / len(arms)
        for place, (arm, counts) in enumerate(arms.items()):
            values = [counts.get(stage, 0) for stage in stages]
            positions = [row + (place - (len(arms) - 1) / 2) * height for row in range(len(stages))]
            bars = axes.barh(positions, values, height * 0.92, color=COLOURS.get(arm, INK), label=ARMS.get(arm, arm))
            axes.bar_label(bars, padding=3, color=INK, fontsize=9)
        labels = [printable(FUNNEL.get(stage, stage), limit=45) for stage in stages]
        axes.set_yticks(range(len(stages)), labels, parse_math=False)
        axes.invert_yaxis()
        axes.margins(x=0.1)
        axes.set_xlabel("proposals")
        if len(arms) > 1:
            for text in axes.legend(frameon=False, fontsize=9, loc="lower right").get_texts():
                text.set_color(INK)
        spoken = "; ".join(
            f"{ARMS.get(arm, arm)}: " + ", ".join(f"{FUNNEL.get(s, s)} {n}" for s, n in counts.items())
            for arm, counts in arms.items()
        )
        return _svg(figure, f"What became of the proposals. {spoken}")


def table_figure(rows: Sequence[Row]) -> str | None:
    """Mean test accuracy with one standard deviation and every seed as a point; None without any number.

    The axis does not begin at 0, so there are points and no bars, whose lengths would mislead.
    """
    rows = [row for row in rows if row.mean is not None]
    if not rows:
        return None
    with _figure(7.2, 0.8 + 0.42 * len(rows)) as (figure, axes):
        for place, row in enumerate(rows):
            colour = KIND_COLOURS.get(row.kind, INK)
            axes.plot(row.accuracy, [place] * len(row.accuracy), "o", color=colour, alpha=0.35, markersize=4)
            axes.errorbar(
                [row.mean or 0.0], [place], xerr=[abs(row.std or 0.0)], fmt="D", color=colour, markersize=6, capsize=4
            )
        axes.set_yticks(range(len(rows)), [printable(row.name, limit=40) for row in rows], parse_math=False)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_xlabel("test accuracy in % (mean ± standard deviation, points: seeds)")
        spoken = ", ".join(f"{row.name} {row.mean:.2f} %" for row in rows)
        return _svg(figure, f"Test accuracy: {spoken}")


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure, sizes in inches, that keeps text as text and knows no display and no global state."""
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kdzero_gp", "font.size": 10}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the measuring font lacks
        figure = Figure(figsize=(width, min(height, 40.0)), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.set_facecolor("none")
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)
        axes.tick_params(colors=INK, labelcolor=INK)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        axes.set_axisbelow(True)
        yield figure, axes


def _svg(figure: Figure, label: str) -> str:
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return cleaned_figure(buffer.getvalue(), label=printable(label), colours=VARIABLES)


def _best_so_far(generations: Sequence[Generation]) -> list[tuple[int, float]]:
    points: list[tuple[int, float]] = []
    for generation in generations:
        if generation.best is not None:
            points.append((generation.number, min([generation.best, *(best for _, best in points[-1:])])))
    return points
