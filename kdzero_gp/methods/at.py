"""Attention transfer: Zagoruyko, Komodakis: Paying More Attention to Attention (ICLR 2017)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Zagoruyko, Komodakis: Paying More Attention to Attention (ICLR 2017)", needs_stages=True)
def at(stages: Stages) -> str:
    """1000 · MSE of the attention maps, each of norm 1, summed over the stages."""
    return sum_of([f"weight(1000, l2(norm_hw(satt_map({stage}))))" for stage in stages])
