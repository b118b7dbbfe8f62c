"""Backbone before head: Gao et al.: An Embarrassingly Simple Approach for Knowledge Distillation (2018)."""

from __future__ import annotations

from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.stagewise import Stagewise

SHARE = 0.2
"""Of the schedule for each stage."""
BACKBONE = 0.8
"""Of the schedule for all stages at most."""


@module_method(
    "gao",
    "Gao et al.: An Embarrassingly Simple Approach for Knowledge Distillation (2018)",
    needs_stages=True,
    home="its own tables",
)
class Gao(Stagewise):
    """One stage after another by mean (s − t)², with all before it; then the classifier on the frozen backbone.

    Each stage has a fifth of the schedule, where there are more than four an equal part of four fifths: this project's
    choice. That the stages before go on learning is uncertain. Where channels differ a learned 1x1 convolution brings
    the student's map to the teacher's.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(stages, weight, share=min(SHARE, BACKBONE / max(1, len(stages))), freezes=False)
