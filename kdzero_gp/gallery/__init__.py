"""Drawings, formulas, figures and the HTML gallery of a run."""

from kdzero_gp.gallery.best import write_best
from kdzero_gp.gallery.diagram import graph, gv
from kdzero_gp.gallery.formula import formula_svg
from kdzero_gp.gallery.latex import formula_lines, latex
from kdzero_gp.gallery.page import render_page, write_galleries, write_gallery
from kdzero_gp.gallery.render import png, svg
from kdzero_gp.gallery.run_view import READINGS
from kdzero_gp.gallery.show import show

__all__ = [
    "READINGS",
    "formula_lines",
    "formula_svg",
    "graph",
    "gv",
    "latex",
    "png",
    "render_page",
    "show",
    "svg",
    "write_best",
    "write_galleries",
    "write_gallery",
]
