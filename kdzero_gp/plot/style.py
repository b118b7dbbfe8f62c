"""How the paper's figures look: one type size, colours that colour-blind readers tell apart, marks for grey print."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["alone", "method", "evolved"]

INK: Final = "#1a1d21"
GRID: Final = "#d9dde3"
ALONE: Final = "#5b6471"
EVOLVED: Final = "#0b5fa5"
WIDTH: Final = 7.0
"""Inches of a figure over both columns of a page."""
SETTINGS: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kdzero_gp",
    "text.parse_math": False,  # labels come from files
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same layout everywhere
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
}


class Line(NamedTuple):
    """One series: colour, marker and dashes, so that it is known in grey too."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[float, ...]]
    width: float


METHODS: Final = (
    Line("#b34700", "s", (0, (5.0, 1.5)), 1.4),
    Line("#00795a", "^", (0, (1.2, 1.2)), 1.4),
    Line("#a3317f", "v", (0, (5.0, 1.5, 1.0, 1.5)), 1.4),
    Line("#8a6d00", "P", (0, (3.0, 1.0)), 1.4),
    Line("#3f8fc4", "X", (0, (2.0, 2.0)), 1.4),
    Line("#5e1742", "<", (0, (7.0, 2.0)), 1.4),
    Line("#2f3b46", ">", (0, (1.0, 2.5)), 1.4),
)
"""Every colour has a contrast of at least 3 : 1 on white."""
CLASSES: Final = (
    *("#332288", "#d55e00", "#117733", "#88ccee", "#882255", "#e6b800", "#44aa99", "#aa4499", "#000000", "#999999"),
)
MARKERS: Final = ("o", "^", "s", "D", "v")


def lines(kinds: Sequence[Kind]) -> list[Line]:
    """Chooses a style for every series, in order: the student alone grey, evolved ones thick, methods each its own."""
    found, methods, evolved = [], 0, 0
    for kind in kinds:
        if kind == "alone":
            found.append(Line(ALONE, "o", (0, (1.0, 1.0)), 1.4))
        elif kind == "evolved":
            found.append(Line(EVOLVED, "oDph"[evolved % 4], "-" if evolved == 0 else (0, (8.0, 1.0)), 2.0))
            evolved += 1
        else:
            found.append(METHODS[methods % len(METHODS)])
            methods += 1
    return found


@contextmanager
def printed() -> Iterator[None]:
    """Sets matplotlib up for these figures inside the block, and restores it after."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the font lacks
        yield


def grid_of(count: int, most: int = 4) -> tuple[int, int]:
    """Chooses rows and columns of a grid of panels, at most `most` in a row and rows of nearly equal length."""
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def bare(axes: Axes) -> None:
    """Removes the ticks, where an axis has no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GRID)
