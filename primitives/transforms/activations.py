"""Pointwise activations. Shapes: (N, C, H, W), (N, R, D) or (N, D), unchanged.

Source of all: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform


@transform(Map, Rows, Vector, formula=r"x\tanh(\log(1+e^{x}))")
def mish(x: Tensor) -> Tensor:
    """Mish, x · tanh(softplus(x)), elementwise. Source: KD-Zero, Table 1."""
    return F.mish(x)


@transform(Map, Rows, Vector, formula=r"\max(x,0)+0.01\min(x,0)")
def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.01 below zero, elementwise. Source: KD-Zero, Table 1."""
    return F.leaky_relu(x, 0.01)


@transform(Map, Rows, Vector, idempotent=True, formula=r"\max(x,0)")
def relu(x: Tensor) -> Tensor:
    """ReLU, elementwise. Source: KD-Zero, Table 1."""
    return F.relu(x)


@transform(Map, Rows, Vector, formula=r"\tanh x")
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent, elementwise. Source: KD-Zero, Table 1."""
    return torch.tanh(x)


@transform(Map, Rows, Vector, formula=r"\sigma(x)=1/(1+e^{-x})")
def sigmoid(x: Tensor) -> Tensor:
    """Logistic sigmoid, elementwise. Source: KD-Zero, Table 1."""
    return torch.sigmoid(x)
