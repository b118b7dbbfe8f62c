"""Samples or rows freed of their mean, and of their scale (extended set)."""

import math

import torch
from torch import Tensor

from kdzero_gp.grammar import Rows, Vector, transform
from primitives.guards import present_of, spread


@transform(Vector, extended=True, formula=r"(x-\mu)/\max(\sigma,\epsilon)")
def zscore(x: Tensor) -> Tensor:
    """Every sample of (N, D) standardised over D, by the unbiased deviation; a constant one gives about 0.

    Classes whose score is −inf stay so, and do not count in mean and deviation.
    Source: Sun et al., "Logit Standardization in Knowledge Distillation" (CVPR 2024).
    """
    absent = x == -math.inf
    centred, norm, floor = spread(x, 1, absent)
    freedom = (present_of(absent, 1) - 1).clamp(min=1).to(x.dtype)
    return (centred / torch.maximum(norm, floor) * freedom.sqrt()).masked_fill(absent, -math.inf)


@transform(Rows, idempotent=True, extended=True, formula=r"x-\overline{x}_{D}")
def center_rows(x: Tensor) -> Tensor:
    """Every row of (N, R, D) minus its own mean, so that a cosine of rows becomes their correlation.

    Source: the row view of Huang et al., "Knowledge Distillation from A Stronger Teacher" (NeurIPS 2022).
    """
    return x - x.mean(2, keepdim=True)
