"""Gram matrices: how channels, or the samples of the batch, resemble each other.

Source of all: KD-Zero (NeurIPS 2023), Table 1. Elements saturate at |x| = 1e8, which is exact over the public
range |x| ≤ 1e4 and keeps the products inside float32.
"""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import saturate

LARGEST = 1e8


@transform(Map, to=Rows, formula=r"XX^{\top}/(HW),\;X\in\mathbb{R}^{C\times HW}")
def bmm(x: Tensor) -> Tensor:
    """Channel by channel: X Xᵀ / (H·W) for every sample, X = (C, H·W); (N, C, H, W) gives (N, C, C).

    Source: KD-Zero, Table 1.
    """
    rows = saturate(x.flatten(2), -LARGEST, LARGEST)
    return torch.bmm(rows, rows.transpose(1, 2)) / rows.shape[2]


@transform(Map, Rows, Vector, to=Vector, formula=r"XX^{\top}/D,\;X\in\mathbb{R}^{N\times D}")
def mm(x: Tensor) -> Tensor:
    """Sample by sample: X Xᵀ / D with X = (N, D), every sample flattened; gives (N, N).

    Source: KD-Zero, Table 1.
    """
    flat = saturate(x.flatten(1), -LARGEST, LARGEST)
    return flat @ flat.T / flat.shape[1]
