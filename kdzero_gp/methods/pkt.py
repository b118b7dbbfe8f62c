"""Probabilistic knowledge transfer: Passalis, Tefas: Probabilistic Knowledge Transfer (ECCV 2018)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Passalis, Tefas: Probabilistic Knowledge Transfer (ECCV 2018)")
def pkt(stages: Stages) -> str:
    """30000 · the mean of the pointwise KL of the affinities (1 + cos)/2 between pooled features."""
    return "weight(30000, affinity_kl(scale(cosines(pool))))"
