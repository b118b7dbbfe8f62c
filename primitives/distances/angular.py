"""Distances that ignore scale: the angle between two samples, with and without their means.

Any shape, result (N,) in [0, 2]. Source of both: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, distance
from primitives.guards import both_absent, cosine_similarity, held, spread


@distance(Map, Rows, Vector, formula=r"1-\cos(s,t)")
def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − cosine between the flattened samples; 1 where one of them is zero.

    Source: KD-Zero, Table 1. Public code minimises the similarity itself: a sign error.
    """
    return 1 - cosine_similarity(student, teacher)


@distance(Map, Rows, Vector, formula=r"1-\rho(s,t)")
def pearson(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − Pearson correlation of the flattened samples; 1 where one of them is constant.

    Source: KD-Zero, Table 1.
    """
    absent = both_absent(student, teacher)
    s, norm_s, floor_s = spread(student.flatten(1), 1, absent)
    t, norm_t, floor_t = spread(teacher.flatten(1), 1, absent)
    product = (s * t).sum(1, keepdim=True) / torch.maximum(norm_s, floor_s) / torch.maximum(norm_t, floor_t)
    return 1 - held(product.squeeze(1), -1, 1)
