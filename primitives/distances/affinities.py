"""Distances between rows of affinities (extended set)."""

from torch import Tensor

from kdzero_gp.grammar import Vector, distance
from primitives.guards import held

LEAST = 1e-7
"""Added to every affinity, as in the authors' code: a row of zeros is uniform."""
LARGEST = 1e16


@distance(Vector, extended=True, formula=r"\overline{p_T\log(p_T/p_S)},\;p=x/\textstyle\sum_d x_d")
def affinity_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over d of p_T · log(p_T / p_S), where p is the non-negative row x over its sum, (N, D) to (N,).

    The mean is a D-th of the divergence, as published. Negative affinities count as 0, above 1e16 they saturate.
    PKT is `affinity_kl(scale(cosines(…)))`.
    Source: Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer" (ECCV 2018).
    """
    # In float64, as all divergences are: near equality float32 leaves of their gradients nothing but rounding.
    s, t = (x.double().clamp(0, LARGEST) + LEAST for x in (student, teacher))
    log_s, log_t = (x.log() - x.sum(1, keepdim=True).log() for x in (s, t))
    return held((log_t.exp() * (log_t - log_s)).mean(1), 0).to(student.dtype)
