"""Lays drawings out and writes them as SVG or PNG, inside this process: no `dot` program is needed."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, Unpack

import matplotlib

from kdzero_gp.drawing.diagram import DrawingOptions, gv
from kdzero_gp.drawing.svg_text import cleaned_drawing
from kdzero_gp.errors import KdzeroError
from kdzero_gp.grammar.tree import Tree

_graphviz_lock = threading.Lock()  # libgvc keeps global state
_fonts_are_set = False


def svg(tree: Tree, **options: Unpack[DrawingOptions]) -> str:
    """Draws a tree as an `<svg>` element that stands alone or inside HTML; arguments as for `graph`.

    Raises:
        KdzeroError: the tree is too large, or Graphviz is not there.
    """
    return cleaned_drawing(render(gv(tree, **options), "svg").decode("utf-8"), label=f"Diagram of the distiller {tree}")


def png(tree: Tree, path: str | Path, *, dpi: int = 192, **options: Unpack[DrawingOptions]) -> Path:
    """Writes a tree's drawing as a PNG file; arguments as for `graph`.

    Raises:
        KdzeroError: the tree is too large, Graphviz is not there, or the file cannot be written.
    """
    source = gv(tree, **options)
    data = render(source.replace("{", f"{{\n\tgraph [dpi={dpi}]", 1), "png")
    path = Path(path)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise KdzeroError(f"the drawing cannot be written to {path}: {error.strerror}; give another path") from error
    return path


def render(source: str, format: str) -> bytes:
    """Lays out Graphviz source with `dot` and draws it.

    Args:
        format: "svg" or "png".

    Raises:
        KdzeroError: Graphviz is not there, or refuses the source.
    """
    pygraphviz = _pygraphviz()
    with _graphviz_lock, _own_fonts():
        try:
            drawn: bytes = pygraphviz.AGraph(string=source).draw(format=format, prog="dot")
        except (ValueError, OSError, RuntimeError) as error:
            raise KdzeroError(f"Graphviz cannot draw this as {format}: {error}; the .gv source can be kept") from error
    return drawn


def _pygraphviz() -> Any:
    try:
        import pygraphviz  # only here: a search that draws nothing needs no Graphviz
    except ImportError as error:
        raise KdzeroError(
            f"drawings need pygraphviz 2 or newer, whose wheels bring Graphviz along, but it cannot be imported "
            f"({error}); install it with `pip install 'pygraphviz>=2'`, or take the .gv source as it is"
        ) from error
    return pygraphviz


@contextmanager
def _own_fonts() -> Iterator[None]:
    """On the first drawing, points Graphviz's font library at the fonts that matplotlib brings along.

    So text has one width on every machine, bare containers without any font included. The library also warns on
    standard error about configuration files newer than itself, whatever it is told to read: it is kept quiet
    while it reads them, so that a progress display is not torn.
    """
    global _fonts_are_set
    if _fonts_are_set:
        yield
        return
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    before = os.environ.get("FONTCONFIG_FILE")
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "fonts.conf"
        file.write_text(
            '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
            f"<dir>{escape(str(folder))}</dir><cachedir>{escape(temporary)}</cachedir>"
            "<config><rescan><int>0</int></rescan></config></fontconfig>",
            encoding="utf-8",
        )
        os.environ["FONTCONFIG_FILE"] = str(file)
        try:
            with _quiet_standard_error():
                yield
            _fonts_are_set = True
        finally:
            if before is None:
                del os.environ["FONTCONFIG_FILE"]
            else:
                os.environ["FONTCONFIG_FILE"] = before


@contextmanager
def _quiet_standard_error() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep quiet
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
