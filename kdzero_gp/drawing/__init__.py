"""Drawings of a tree: diagram, formula, LaTeX, and a tree of characters."""

from kdzero_gp.drawing.diagram import graph, gv
from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.latex import formula_lines, latex
from kdzero_gp.drawing.render import png, svg
from kdzero_gp.drawing.show import show

__all__ = ["formula_lines", "formula_svg", "graph", "gv", "latex", "png", "show", "svg"]
