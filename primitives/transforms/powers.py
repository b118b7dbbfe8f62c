"""Powers, roots, exponential and logarithm. Shapes: (N, C, H, W), (N, R, D) or (N, D), unchanged.

Source of all: KD-Zero (NeurIPS 2023), Table 1. The growing ones saturate their *input*, which is exact over
the public range |x| ≤ 1e4 (`exp`: x ≤ 10) and keeps every chain of operations inside float32.
"""

import math

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import EPS, saturate

LARGEST = 1e4
"""Where `pow2` and `pow4` saturate: 1e4 to the fourth squares to 1e32, still a float32."""


def _sign(x: Tensor) -> Tensor:
    """1 or −1 without gradient, never 0: |x| = sign · x then has a gradient at 0, where a ReLU leaves many features."""
    return torch.copysign(torch.ones_like(x), x.detach())


@transform(Map, Rows, Vector, formula=r"e^{\min(x,10)}")
def exp(x: Tensor) -> Tensor:
    """exp(min(x, 10)), elementwise. Source: KD-Zero, Table 1."""
    return torch.exp(saturate(x, -math.inf, 10))


@transform(Map, Rows, Vector, formula=r"x^2")
def pow2(x: Tensor) -> Tensor:
    """x², elementwise; |x| saturates at 1e4 (see the module). Source: KD-Zero, Table 1."""
    return saturate(x, -LARGEST, LARGEST).square()


@transform(Map, Rows, Vector, formula=r"x^4")
def pow4(x: Tensor) -> Tensor:
    """x⁴, elementwise; |x| saturates at 1e4 (see the module). Source: KD-Zero, Table 1."""
    return saturate(x, -LARGEST, LARGEST).square().square()


@transform(Map, Rows, Vector, formula=r"\mathrm{sign}(x)\,\log(1+|x|)")
def log(x: Tensor) -> Tensor:
    """Signed logarithm sign(x) · log(1 + |x|), elementwise, with derivative 1 at 0.

    Source: KD-Zero (NeurIPS 2023), Table 1; the sign makes it defined below zero.
    """
    sign = _sign(x)
    return sign * torch.log1p(sign * x)


@transform(Map, Rows, Vector, formula=r"\mathrm{sign}(x)\,(\sqrt{|x|+\epsilon}-\sqrt{\epsilon})")
def sqrt(x: Tensor) -> Tensor:
    """Signed root sign(x) · (sqrt(|x| + 1e-6) − sqrt(1e-6)), elementwise, with derivative 500 at 0.

    Source: KD-Zero, Table 1. Public code takes torch.sqrt: NaN below zero and an infinite gradient
    at zero; both are mended here.
    """
    sign = _sign(x)
    return sign * (torch.sqrt(sign * x + EPS) - math.sqrt(EPS))


@transform(Map, Vector, formula=r"(x+1)/2")
def scale(x: Tensor) -> Tensor:
    """(x + 1) / 2, elementwise: maps [-1, 1] to [0, 1]. Source: KD-Zero, Table 1."""
    return (x + 1) / 2
