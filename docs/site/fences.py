"""Draws what stands in fenced blocks of a page: `distiller` a text form, `formula` LaTeX, `types` all types."""

import base64
import html
import re
from typing import Any

from pymdownx.superfences import SuperFencesException

from kdzero_gp import KdzeroError, parse
from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.render import svg
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, Loss, PerSample


def distiller(source: str, *_: Any, **__: Any) -> str:
    """The text form of a distiller, and its drawing below.

    Raises:
        SuperFencesException: the text is no distiller; anything else would be passed over in silence.
    """
    try:
        tree = parse(source.strip())
    except KdzeroError as error:
        raise SuperFencesException(f"a page shows a distiller that is none: {error}") from error
    text = html.escape(str(tree))
    return f'<div class="highlight"><pre><code>{text}</code></pre></div>{picture(svg(tree), str(tree))}'


def formula(source: str, *_: Any, **__: Any) -> str:
    """LaTeX, one formula a line, set as outlines.

    Raises:
        SuperFencesException: a line is not LaTeX that can be set.
    """
    drawn = formula_svg(source.strip().splitlines())
    if drawn is None:
        raise SuperFencesException(f"a page's formula is beyond matplotlib's mathtext: {source}")
    return f'<div class="formula">{drawn.strip()}</div>'


def types(*_: Any, **__: Any) -> str:
    """The table of all types of the grammar, with the constants' grids."""
    rows = [
        f"<tr><td><code>{type_.__name__}</code></td><td>{_prose(type_)}</td><td>{_grid(type_)}</td></tr>"
        for type_ in (*KNOWLEDGE, PerSample, Loss, *CONSTANTS)
    ]
    head = "<thead><tr><th>type</th><th>what it is</th><th>grid</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _prose(type_: type) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape((type_.__doc__ or "").partition("\n")[0]))


def _grid(type_: type) -> str:
    return ", ".join(f"{value:g}" for value in CONSTANTS.get(type_, ()))


def picture(drawing: str, label: str) -> str:
    """An SVG drawing as an image, since the names that two drawings give to their parts are the same."""
    data = base64.b64encode(drawing.encode("utf-8")).decode("ascii")
    return f'<p><img class="drawing" alt="{html.escape(label)}" src="data:image/svg+xml;base64,{data}"></p>'
