"""kdzero_gp: evolves knowledge-distillation losses for any teacher-student pair."""

from typing import TYPE_CHECKING, Any

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.drawing.display import draw_in_notebooks
from kdzero_gp.errors import KdzeroError
from kdzero_gp.export.distiller_file import load, save
from kdzero_gp.grammar.decorators import distance, transform, weight
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Constant, Logits, Loss, Map, PerSample, Rows, Tau, Value, Vector
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.tasks.gaps import cka_gap, sharpness_gap
from kdzero_gp.version import __version__

if TYPE_CHECKING:
    from kdzero_gp.loops.distillation import Distillation
    from kdzero_gp.run.result import SearchResult
    from kdzero_gp.run.run import search


__all__ = [
    "Constant",
    "Distillation",
    "Distiller",
    "KdzeroError",
    "Knowledge",
    "Logits",
    "Loss",
    "Map",
    "PerSample",
    "Rows",
    "SearchResult",
    "Tau",
    "Tree",
    "Value",
    "Vector",
    "cka_gap",
    "distance",
    "load",
    "parse",
    "random_tree",
    "save",
    "search",
    "sharpness_gap",
    "transform",
    "weight",
]


draw_in_notebooks()


def __getattr__(name: str) -> Any:
    """Loads these on first use: a training script that only wants a loss need not import plots and data sets."""
    if name == "search":
        from kdzero_gp.run.run import search

        return search
    if name == "SearchResult":
        from kdzero_gp.run.result import SearchResult

        return SearchResult
    if name == "Distillation":
        from kdzero_gp.loops.distillation import Distillation

        return Distillation
    raise AttributeError(f"module 'kdzero_gp' has no attribute '{name}'")
