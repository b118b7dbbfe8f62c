"""Attention gates: x times the root of its share of the activation; equal shares change nothing.

Source of all: KD-Zero (NeurIPS 2023), Table 1; the formula is that of the group's later public code. The
energies that the softmax sees saturate at |x| = 1e4, exact over the public range: beyond it their gradient,
x times that of the softmax, would grow with every gate in a chain.
"""

import math

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import saturate

TEMPERATURE = 0.5


def _energy(x: Tensor) -> Tensor:
    return saturate(x, -1e4, 1e4).abs()


def _gate(energy: Tensor, dim: int) -> Tensor:
    """sqrt(n · softmax(energy / 0.5)) over `dim` of size n.

    Through the logarithm: sqrt has an infinite gradient where a share underflows to 0.
    """
    shares = torch.log_softmax(energy / TEMPERATURE, dim)
    return torch.exp((shares + math.log(energy.shape[dim])) / 2)


@transform(Map, formula=r"\sqrt{A}\odot x,\;A=HW\,\mathrm{softmax}_{HW}(\overline{|x|}_{C}/\tfrac12)")
def satt(x: Tensor) -> Tensor:
    """Spatial attention: every position times sqrt(A), A = H·W·softmax over positions of mean_C|x| / 0.5.

    Shape: (N, C, H, W), unchanged.

    Source: KD-Zero, Table 1.
    """
    energy = _energy(x).mean(1).flatten(1)
    return x * _gate(energy, 1).view(x.shape[0], 1, x.shape[2], x.shape[3])


@transform(Map, Vector, formula=r"\sqrt{A}\odot x,\;A=C\,\mathrm{softmax}_{C}(\overline{|x|}_{HW}/\tfrac12)")
def catt(x: Tensor) -> Tensor:
    """Channel attention: every channel times sqrt(A), A = C·softmax over channels of mean_HW|x| / 0.5.

    In a Vector (N, D) each element is a channel of one position: the mean is |x| itself and C is D.
    Source: KD-Zero, Table 1.
    """
    energy = _energy(x)
    if x.dim() == 4:
        energy = energy.mean((2, 3), keepdim=True)
    return x * _gate(energy, 1)


@transform(Map, Rows, Vector, formula=r"\sqrt{A}\odot x,\;A=N\,\mathrm{softmax}_{N}(\overline{|x|}/\tfrac12)")
def natt(x: Tensor) -> Tensor:
    """Sample attention: every sample times sqrt(A), A = N·softmax over the batch of mean|x| / 0.5.

    The mean is over all dims but N; shapes are unchanged.

    Source: KD-Zero, Table 1.
    """
    energy = _energy(x).mean(tuple(range(1, x.dim())), keepdim=True)
    return x * _gate(energy, 0)
