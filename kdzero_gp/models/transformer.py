"""The encoder block of vision transformers, and what its networks share.

Dosovitskiy et al., "An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929. Parameter names as in timm and in
the published code of DeiT and T2T-ViT.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STD = 0.02
"""Standard deviation of initial weights, cut off at two units."""


class DropPath(nn.Module):
    """Drops the residual branch of whole samples in training and scales the others up.

    Huang et al., "Deep Networks with Stochastic Depth", https://arxiv.org/abs/1603.09382.

    Args:
        rate: share of the samples, in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Maps (N, …) to (N, …)."""
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), *[1] * (branch.dim() - 1), device=branch.device) >= self.rate
        return branch * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        """Tells the rate, for printing."""
        return f"{self.rate:g}"


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int, *, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (N, L, D) to (N, L, D)."""
        queries, keys, values = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(queries, keys, values)  # (N, heads, L, D / heads)
        result: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return result


class Mlp(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (N, L, D) to (N, L, D)."""
        result: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return result


class Block(nn.Module):
    """Pre-norm encoder block: attention and MLP, each with a residual connection.

    Args:
        width: D.
        heads: of the attention; they divide D.
        mlp_ratio: hidden units of the MLP per unit of D.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path: share of the samples that skip a branch in training.
        eps: of the layer norms.
    """

    def __init__(
        self, width: int, heads: int, *, mlp_ratio: float, qkv_bias: bool, drop_path: float, eps: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, qkv_bias=qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (N, L, D) to (N, L, D)."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        result: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return result


def drop_path_rates(highest: float, depth: int) -> list[float]:
    """Lists the drop-path rates of `depth` blocks: from 0 in the first, linearly, to `highest` in the last."""
    return [highest * number / max(1, depth - 1) for number in range(depth)]


def initialise_transformer(model: nn.Module) -> None:
    """Draws linear weights from a normal distribution of standard deviation 0.02 cut off at two units, biases zero."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
