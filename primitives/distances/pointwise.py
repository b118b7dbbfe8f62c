"""Elementwise distances: the mean over all dims but N of a function of d = s − t. Any shape, result (N,).

Source of all: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, distance
from primitives.guards import both_present, saturate


def _mean(elements: Tensor) -> Tensor:
    return elements.mean(tuple(range(1, elements.dim())))  # flattening would copy a map that lies channels last


@distance(Map, Rows, Vector, formula=r"\overline{|s-t|}")
def l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of every sample, (N,). Source: KD-Zero, Table 1."""
    student, teacher = both_present(student, teacher)
    return _mean((student - teacher).abs())


@distance(Map, Rows, Vector, formula=r"\overline{(s-t)^2}")
def l2(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of every sample, (N,). Source: KD-Zero, Table 1.

    (s − t)² saturates at 1e32, the largest square that float32 can average over any map.
    """
    student, teacher = both_present(student, teacher)
    return _mean(saturate(F.mse_loss(student, teacher, reduction="none"), 0, 1e32))


@distance(
    Map,
    Rows,
    Vector,
    formula=r"\overline{h(s-t)},\;h(d)=\tfrac12d^2\text{ if }|d|<1\text{ else }|d|-\tfrac12",
)
def smooth_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean Huber function (β = 1) of the difference of every sample, (N,). Source: KD-Zero, Table 1."""
    student, teacher = both_present(student, teacher)
    return _mean(F.smooth_l1_loss(student, teacher, reduction="none", beta=1.0))
