"""Neuron selectivity transfer: Huang, Wang: Like What You Like (2017)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Huang, Wang: Like What You Like (2017)", needs_stages=True)
def nst(stages: Stages) -> str:
    """50 · squared MMD of the channels, each of norm 1 over its positions, summed over the stages."""
    return sum_of([f"weight(50, mmd(norm_hw({stage})))" for stage in stages])
