"""Stagewise distillation: Kulkarni et al.: Data Efficient Stagewise Knowledge Distillation (2019)."""

from __future__ import annotations

from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.stagewise import Stagewise


@module_method(
    "kulkarni",
    "Kulkarni et al.: Data Efficient Stagewise Knowledge Distillation (2019)",
    needs_stages=True,
    home="its own tables",
)
class Kulkarni(Stagewise):
    """One stage after another by mean (s − t)², all before it frozen; at last the classifier by the labels alone.

    K stages have K + 1 phases of equal length within the schedule, so that it takes the epochs of every other method;
    the authors train each for 100 epochs by Adam. Networks of other channels, which theirs never are, meet behind a
    learned 1x1 convolution. Their code keeps each phase's best weights by its validation split, which seems to be the
    test split; here a phase hands its last weights on.
    """

    def __init__(self, stages: Stages, *, weight: float = 1.0) -> None:
        super().__init__(stages, weight, share=1 / (len(stages) + 1), freezes=True)
