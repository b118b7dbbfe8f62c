"""The distance between two batches as a whole."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, distance
from primitives.guards import both_present, held, spread


@distance(Map, Rows, Vector, formula=r"1-\overline{\rho_N(s_d,t_d)}_{d}")
def correlation(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − Pearson correlation over the batch of each feature, averaged over those with variance in both.

    Features are the flattened dims but N. The value, in [0, 2], is the same for every sample, (N,). It is 1
    with gradient zero when no feature varies in both (always so for N = 1). Source: KD-Zero (NeurIPS 2023),
    Table 1. Public code divides by a variance that may be 0 and can reach −∞.
    """
    student, teacher = both_present(student, teacher)
    s, norm_s, floor_s = spread(student.flatten(1), 0)
    t, norm_t, floor_t = spread(teacher.flatten(1), 0)
    varies = (norm_s > floor_s) & (norm_t > floor_t)
    # Each sum is divided, not each element: that, and its gradient, would be passes over whole maps.
    product = (s * t).sum(0, keepdim=True) / torch.maximum(norm_s, floor_s) / torch.maximum(norm_t, floor_t)
    per_feature = held(torch.where(varies, product, 0), -1, 1)
    mean = per_feature.sum() / varies.sum().clamp(min=1)
    return (1 - mean).expand(student.shape[0])
