"""Elementwise penalties beyond Table 1 (extended set). Any shape, result (N,)."""

import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Value, Vector, distance
from primitives.guards import both_present, saturate


@distance(
    Map,
    Rows,
    Vector,
    constants=(Value,),
    extended=True,
    formula=r"\overline{h(s-t)},\;h(d)=\tfrac12d^2\text{ if }|d|<\delta\text{ else }\delta(|d|-\delta/2)",
)
def huber(student: Tensor, teacher: Tensor, delta: float) -> Tensor:
    """Mean Huber function of the difference, quadratic below δ and linear above; (N,). δ = 1 is `smooth_l1`.

    Source: Park et al., "Relational Knowledge Distillation" (CVPR 2019), with δ = 1.
    """
    student, teacher = both_present(student, teacher)
    return F.huber_loss(student, teacher, reduction="none", delta=delta).flatten(1).mean(1)


@distance(Map, Rows, Vector, extended=True, formula=r"\overline{(s-t)^2\,[\,\neg(s\le t\le 0)\,]}")
def partial_l2(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference, 0 for the elements where s ≤ t ≤ 0, both sides being switched off; (N,).

    |s − t| saturates at 1e16 as in `l2`. Source: Heo et al., "A Comprehensive Overhaul of Feature
    Distillation" (ICCV 2019).
    """
    student, teacher = both_present(student, teacher)
    difference = saturate(student - teacher, -1e16, 1e16)
    counts = (student > teacher) | (teacher > 0)
    return (difference.square() * counts).flatten(1).mean(1)
