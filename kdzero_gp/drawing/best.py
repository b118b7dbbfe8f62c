"""Writes the winner's drawing in all its forms into a folder."""

from pathlib import Path
from typing import Unpack

from kdzero_gp.drawing.diagram import DrawingOptions, gv
from kdzero_gp.drawing.render import png, svg
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.whole_file import write_whole


def write_best(folder: str | Path, tree: Tree, **options: Unpack[DrawingOptions]) -> tuple[Path, Path, Path]:
    """Writes `best.gv`, `best.svg` and `best.png`, in place of earlier ones.

    Args:
        folder: an existing folder.
        options: as for `graph`.

    Returns:
        The three paths, in this order.

    Raises:
        KdzeroError: the tree is too large to draw, Graphviz is not there, or a file cannot be written.
    """
    folder = Path(folder)
    source, drawing = gv(tree, **options), svg(tree, **options)
    then = "try again"
    write_whole(folder / "best.gv", [source], then=then)
    write_whole(folder / "best.svg", ['<?xml version="1.0" encoding="UTF-8"?>\n', drawing], then=then)
    picture = folder / "best.png"
    png(tree, picture, **options)
    return folder / "best.gv", folder / "best.svg", picture
