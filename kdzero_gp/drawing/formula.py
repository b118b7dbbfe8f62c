"""Sets LaTeX formulas as SVG outlines with matplotlib's mathtext: no TeX, no network, no fonts in the viewer."""

import re
import warnings
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

from kdzero_gp.untrusted import printable

SIZE = 17.0
"""Font size in the SVG's units, which are CSS pixels where nothing scales it."""
LINE = 1.6
"""Distance between base lines, in font sizes, where lines are of usual height."""

_COMMANDS = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C", Outline.CLOSEPOLY: "Z"}
_FOREIGN = (
    (re.compile(r"\\[td]frac"), r"\\frac"),
    (re.compile(r"\\frac\s*(\w)\s*(\w)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\[lr]?Vert(?![a-zA-Z])"), r"\\Vert "),
    (re.compile(r"\\[lr]?vert(?![a-zA-Z])"), "|"),
    (re.compile(r"\\([lgn])e(?![a-zA-Z])"), r"\\\1eq"),
    (re.compile(r"\\lnot(?![a-zA-Z])"), r"\\neg"),
    (re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])"), ""),
    (re.compile(r"\\(?:display|text)style(?![a-zA-Z])"), ""),
)
"""LaTeX that mathtext does not read, and the like that it does."""


def formula_svg(lines: Sequence[str], *, label: str | None = None) -> str | None:
    """Sets lines of LaTeX one below the other, in the page's text colour.

    Args:
        lines: LaTeX without dollar signs.
        label: what a screen reader says; by default the LaTeX.

    Returns:
        An `<svg>` element, or None where mathtext cannot read a line: the LaTeX itself is then what can be shown.
    """
    outlines = [_outline(line) for line in lines]
    paths, right, top = [], 0.0, 0.0
    for outline in outlines:
        if outline is None:
            return None
        if not np.size(outline.vertices):
            continue
        box = outline.get_extents()
        base = top + max(box.y1, SIZE * (LINE - 0.6))
        paths.append(f'<path d="{_path_data(outline, base)}"/>')
        top = base + max(-box.y0, SIZE * 0.3) + SIZE * 0.3
        right = max(right, box.x1)
    width, height = f"{right + 2:.1f}", f"{top:.1f}"
    spoken = quoteattr(printable(label if label is not None else "; ".join(lines)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="formula" role="img" aria-label={spoken} '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" fill="currentColor">{"".join(paths)}</svg>\n'
    )


def _outline(line: str) -> Outline | None:
    for pattern, replacement in _FOREIGN:
        line = pattern.sub(replacement, line)
    # A lone dollar sign would end the formula early.
    line = re.sub(r"(?<!\\)\$", r"\\$", line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that the font lacks is drawn as a box
        try:
            return TextPath((0, 0), f"${line}$", size=SIZE, prop=FontProperties(math_fontfamily="stix"))
        except (ValueError, RuntimeError, RecursionError):
            return None


def _path_data(outline: Outline, base: float) -> str:
    pieces = []
    for points, code in outline.iter_segments(simplify=False, curves=True):
        command = _COMMANDS.get(code)
        if command is None:
            continue
        pairs = zip(points[::2], points[1::2], strict=True) if command != "Z" else ()
        pieces.append(command + " ".join(f"{x:.1f},{base - y:.1f}" for x, y in pairs))
    return "".join(pieces)
