"""Distances between sets of vectors by their kernels (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, distance
from primitives.guards import both_present, held, saturate, unit

LARGEST = 1e4


def _mean_kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.bmm(x, y.transpose(1, 2)).square().mean((1, 2))


@distance(
    Map,
    Rows,
    ragged=True,
    extended=True,
    formula=r"\overline{k(s_i,s_j)}+\overline{k(t_i,t_j)}-2\,\overline{k(s_i,t_j)},\;k(a,b)=(a^{\top}b)^2",
)
def mmd(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of the channels, or rows, of every sample, kernel (a·b)²; (N,).

    A Map (N, C, H, W) is a set of C vectors of size H·W; C, or R, may differ between the sides. NST is
    `mmd(norm_hw(…))`. Elements saturate at |x| = 1e4. Source: Huang and Wang, "Like What You Like" (2017).
    """
    s, t = (saturate(x.flatten(2), -LARGEST, LARGEST) for x in (student, teacher))
    if s.shape != t.shape:
        return held(_mean_kernel(s, s) + _mean_kernel(t, t) - 2 * _mean_kernel(s, t), 0)
    # By e = s − t, since near equality the three means differ by their rounding alone.
    e = s - t
    et, ee, tt = (torch.bmm(x, y.transpose(1, 2)) for x, y in ((e, t), (e, e), (t, t)))
    return held((2 * et * et.transpose(1, 2) + ee * (2 * tt + 4 * et + ee)).mean((1, 2)), 0)


def _centred_gram(x: Tensor) -> Tensor:
    """The Gram matrix (N, N) over its norm, as one vector (N·N,); about 0 where x varies no more than rounding does."""
    flat = unit(x.flatten(1), (0, 1))
    flat = flat - flat.mean(0)
    gram = (flat @ flat.T).flatten()
    rounding = (16 * torch.finfo(x.dtype).eps) ** 2
    return gram / gram.square().sum().clamp(min=rounding**2).sqrt()


@distance(
    Map,
    Rows,
    Vector,
    ragged=True,
    extended=True,
    formula=r"1-\mathrm{HSIC}(s,t)/\sqrt{\mathrm{HSIC}(s,s)\,\mathrm{HSIC}(t,t)}",
)
def hsic(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − linear CKA of the flattened samples: normalised HSIC, centred over the batch.

    The value, in [0, 1], is the same for every sample, (N,); 1 when a side does not vary over the batch. C may differ
    between the sides.
    Source: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019).
    """
    student, teacher = both_present(student, teacher)
    similarity = (_centred_gram(student) * _centred_gram(teacher)).sum()
    return (1 - held(similarity, 0, 1)).expand(student.shape[0])
