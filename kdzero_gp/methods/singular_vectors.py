"""Right singular vectors of maps, with a gradient that stays finite where singular values meet."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

GAP = 1e-3
"""Least distance between squared singular values in the gradient, relative to the largest."""
LEAST = 1e-12


def channel_vectors(maps: Tensor, count: int) -> Tensor:
    """The first right singular vectors of maps as matrices H·W x C, (N, C, H, W) to (N, C, k), in float64 inside.

    Args:
        count: how many; fewer where the matrix has not as many.
    """
    rows = maps.flatten(2).double()
    count = min(count, *rows.shape[1:])
    vectors: Tensor = _LeadingEigenvectors.apply(torch.bmm(rows, rows.transpose(1, 2)), count)
    return vectors.to(maps.dtype)


class _LeadingEigenvectors(torch.autograd.Function):
    """Eigenvectors of symmetric matrices (N, C, C) by falling eigenvalue.

    ∂v_j = Σ_i v_i (v_i · ∂A v_j) / (λ_j − λ_i), the gaps held away from 0.
    """

    @staticmethod
    def forward(ctx: Any, matrices: Tensor, count: int) -> Tensor:
        values, vectors = torch.linalg.eigh(matrices)
        values, vectors = values.flip(1), vectors.flip(2)
        ctx.save_for_backward(values, vectors)
        leading: Tensor = vectors[:, :, :count]
        return leading

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        values, vectors = ctx.saved_tensors
        count = gradient.shape[2]
        gaps = values[:, None, :count] - values[:, :, None]
        least = (GAP * values[:, :1, None]).clamp_min(LEAST)
        inverse = torch.where(gaps < 0, -1.0, 1.0) / torch.maximum(gaps.abs(), least)
        own = torch.eye(values.shape[1], count, dtype=values.dtype, device=values.device)
        inside = torch.bmm(vectors.transpose(1, 2), gradient) * inverse * (1 - own)
        raw = vectors @ inside @ vectors[:, :, :count].transpose(1, 2)
        return (raw + raw.transpose(1, 2)) / 2, None
