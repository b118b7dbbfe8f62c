"""The principal direction of a feature map (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Vector, transform
from primitives.guards import unit

STEPS = 8


@transform(Map, to=Vector, extended=True, formula=r"v_1,\;X=U\Sigma V^{\top},\;X\in\mathbb{R}^{C\times HW}")
def svd(x: Tensor) -> Tensor:
    """The leading right singular vector of the C × H·W matrix of every sample, (N, C, H, W) to (N, H·W), norm 1.

    By 8 power iterations from the mean over channels: exact for one channel, else off by a factor (σ₂/σ₁)¹⁶, and,
    unlike a decomposition, with a finite gradient where singular values coincide. The iterations keep the vector's
    product with the mean over channels positive, which aligns the signs of student and teacher; 0 where that mean is.
    Source: Lee et al., "Self-supervised Knowledge Distillation using Singular Value Decomposition" (ECCV 2018), which
    compares further singular vectors as well.
    """
    rows = unit(x.flatten(2), (1, 2))
    gram = torch.bmm(rows, rows.transpose(1, 2))  # (XᵀX)ⁿXᵀ1 = Xᵀ(XXᵀ)ⁿ1, and the channels are fewer
    mixture = rows.new_ones(rows.shape[0], 1, rows.shape[1])
    for _ in range(STEPS):
        mixture = unit(torch.bmm(mixture, gram), (2,))
    return unit(torch.bmm(mixture, rows), (2,)).squeeze(1)
