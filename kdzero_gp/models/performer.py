"""Linear attention by positive random features, for the many small tokens that T2T-ViT begins with.

Choromanski et al., "Rethinking Attention with Performers", https://arxiv.org/abs/2009.14794, in the form that T2T-ViT
(https://arxiv.org/abs/2101.11986) uses for its tokens-to-token layers; parameter names as in its published code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FEATURES = 0.5
"""Random features per unit of width."""
DROPOUT = 0.1
STABILITY = 1e-8


class TokenPerformer(nn.Module):
    """One head of kernelised attention and an MLP of the same width; the values are the attention's shortcut.

    exp(q·k) ≈ φ(q)·φ(k) with φ(x) = exp(Wx - |x|²/2) / √m, W's m rows orthogonal, drawn once and not learned.

    Args:
        inputs: width of the tokens that come in.
        width: D of those that go out.
    """

    w: Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(inputs)
        self.kqv = nn.Linear(inputs, 3 * width)
        self.dp = nn.Dropout(DROPOUT)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.Dropout(DROPOUT))
        features = int(width * FEATURES)
        self.register_buffer("w", nn.init.orthogonal_(torch.empty(features, width)) * math.sqrt(features))

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (N, L, inputs) to (N, L, D), at a cost linear in L."""
        keys, queries, values = self.kqv(self.norm1(tokens)).chunk(3, 2)
        k, q = self._features(keys), self._features(queries)  # (N, L, m)
        summary = values.transpose(1, 2) @ k  # (N, D, m)
        normaliser = q @ k.sum(1).unsqueeze(2)  # (N, L, 1)
        mixed = q @ summary.transpose(1, 2) / (normaliser + STABILITY)
        mixed = values + self.dp(self.proj(mixed))
        result: Tensor = mixed + self.mlp(self.norm2(mixed))
        return result

    def _features(self, x: Tensor) -> Tensor:
        x = x.to(self.w.dtype)  # not in half precision, which the exponential leaves soon
        exponents = x @ self.w.transpose(0, 1) - x.square().sum(2, keepdim=True) / 2
        return exponents.exp() / math.sqrt(len(self.w))
