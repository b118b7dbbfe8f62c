"""Distances between sets of vectors by their kernels (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, distance
from primitives.guards import saturate, unit

LARGEST = 1e4


def _mean_kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.bmm(x, y.transpose(1, 2)).square().mean((1, 2))


@distance(
    Map,
    Rows,
    extended=True,
    formula=r"\overline{k(s_i,s_j)}+\overline{k(t_i,t_j)}-2\,\overline{k(s_i,t_j)},\;k(a,b)=(a^{\top}b)^2",
)
def mmd(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of the channels, or rows, of every sample, kernel (a·b)²; (N,).

    A Map (N, C, H, W) is a set of C vectors of size H·W; R may differ between the sides. NST is
    `mmd(norm_hw(…))`. Elements saturate at |x| = 1e4. Source: Huang and Wang, "Like What You Like" (2017).
    """
    s, t = (saturate(x.flatten(2), -LARGEST, LARGEST) for x in (student, teacher))
    return (_mean_kernel(s, s) + _mean_kernel(t, t) - 2 * _mean_kernel(s, t)).clamp(min=0)


def _centred_gram(x: Tensor) -> Tensor:
    flat = unit(x.flatten(1), (0, 1))
    flat = flat - flat.mean(0)
    return (flat @ flat.T).flatten()


@distance(
    Map,
    Rows,
    Vector,
    extended=True,
    formula=r"1-\mathrm{HSIC}(s,t)/\sqrt{\mathrm{HSIC}(s,s)\,\mathrm{HSIC}(t,t)}",
)
def hsic(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − linear CKA of the flattened samples: normalised HSIC, centred over the batch.

    The value, in [0, 1], is the same for every sample, (N,); 1 when a side does not vary over the batch.
    Source: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019).
    """
    similarity = (unit(_centred_gram(student), (0,)) * unit(_centred_gram(teacher), (0,))).sum()
    return (1 - similarity.clamp(0, 1)).expand(student.shape[0])
