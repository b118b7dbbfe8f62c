"""Samples or rows freed of their mean, and of their scale (extended set)."""

import math

import torch
from torch import Tensor

from kdzero_gp.grammar import Rows, Vector, transform
from primitives.guards import spread


@transform(Vector, extended=True, formula=r"(x-\mu)/\max(\sigma,\epsilon)")
def zscore(x: Tensor) -> Tensor:
    """Every sample of (N, D) standardised over D, by the unbiased deviation; a constant one gives about 0.

    Source: Sun et al., "Logit Standardization in Knowledge Distillation" (CVPR 2024).
    """
    centred, norm, floor = spread(x, 1)
    return centred / torch.maximum(norm, floor) * math.sqrt(max(x.shape[1] - 1, 1))


@transform(Rows, idempotent=True, extended=True, formula=r"x-\overline{x}_{D}")
def center_rows(x: Tensor) -> Tensor:
    """Every row of (N, R, D) minus its own mean, so that a cosine of rows becomes their correlation.

    Source: the row view of Huang et al., "Knowledge Distillation from A Stronger Teacher" (NeurIPS 2022).
    """
    return x - x.mean(2, keepdim=True)
