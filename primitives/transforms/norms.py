"""Normalisations. Shapes are unchanged.

Source of all: KD-Zero (NeurIPS 2023), Table 1. Norms and ranges have no floor: activations of any scale come to the
same, and only what is zero or constant is divided by 1e-6 instead.
"""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import EPS, FLOOR, LEAST, magnitude, unit


def _reached(x: Tensor, end: Tensor, dims: tuple[int, ...]) -> Tensor:
    """An amin or amax `end` of x; as torch's own its gradient goes in equal parts to the elements that reach it."""
    if not torch.is_grad_enabled():
        return end
    reaching = (x == end).to(x.dtype)
    mean = (x * reaching).sum(dims, keepdim=True) / reaching.sum(dims, keepdim=True)
    return end.detach() + (mean - mean.detach())


@transform(Map, Vector, formula=r"(x-\mu)/\sqrt{\sigma^2+10^{-5}},\;\mu,\sigma^2\text{ over }N,H,W")
def batchnorm(x: Tensor) -> Tensor:
    """(x − mean) / sqrt(var + 1e-5) with the batch's own mean and biased variance.

    No affine part and no state. Map (N, C, H, W): statistics over N, H, W; Vector (N, D): over N.
    Source: KD-Zero, Table 1. Public code makes a fresh BatchNorm module at every call, which
    computes the same thing with a parameter and a running mean that nobody uses.
    """
    dims = (0, 2, 3) if x.dim() == 4 else (0,)
    size = magnitude(x, dims)
    scaled = x / size
    centred = scaled - scaled.mean(dims, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(dims, keepdim=True) + 1e-5 / size.square())


@transform(Map, Rows, Vector, formula=r"(x-\min x)/(\max x-\min x)")
def minmax(x: Tensor) -> Tensor:
    """Every sample stretched to [0, 1]: (x − min) / (max − min), min and max over all dims but N; a constant gives 0.

    Source: KD-Zero, Table 1.
    """
    dims = tuple(range(1, x.dim()))
    smallest, largest = (_reached(x, end(dims, keepdim=True), dims) for end in (x.amin, x.amax))
    width = largest - smallest
    return (x - smallest) / torch.where(width < LEAST * FLOOR, EPS, width)


@transform(Map, formula=r"x/\lVert x\rVert_{HW}")
def norm_hw(x: Tensor) -> Tensor:
    """Every channel of (N, C, H, W) divided by its Euclidean norm over the positions.

    Source: KD-Zero, Table 1.
    """
    return unit(x, (2, 3))


@transform(Map, Vector, formula=r"x/\lVert x\rVert_{C}")
def norm_c(x: Tensor) -> Tensor:
    """Every position of (N, C, H, W), or sample of (N, D), divided by its norm over dim 1.

    Source: KD-Zero, Table 1.
    """
    return unit(x, (1,))


@transform(Map, Rows, Vector, formula=r"x/\lVert x\rVert_{N}")
def norm_n(x: Tensor) -> Tensor:
    """Every element divided by its Euclidean norm over the batch (dim 0).

    Source: KD-Zero, Table 1.
    """
    if x.dim() == 4 and x.stride(1) == 1:  # channels last: sums over the batch are fast in the order of memory alone
        return unit(x.permute(0, 2, 3, 1), (0,)).permute(0, 3, 1, 2)
    return unit(x, (0,))
