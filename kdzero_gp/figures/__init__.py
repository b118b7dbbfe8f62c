"""The paper's figures for any pair: each as SVG, PNG and the numbers behind it as CSV."""

from kdzero_gp.figures.added import added_figure
from kdzero_gp.figures.cam import cam_figure
from kdzero_gp.figures.capacity import capacity_figure
from kdzero_gp.figures.correlation import correlation_figure
from kdzero_gp.figures.curves import curves_figure
from kdzero_gp.figures.embedding import tsne_figure
from kdzero_gp.figures.files import Written

__all__ = [
    "Written",
    "added_figure",
    "cam_figure",
    "capacity_figure",
    "correlation_figure",
    "curves_figure",
    "tsne_figure",
]
