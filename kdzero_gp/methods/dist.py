"""DIST: Huang et al.: Knowledge Distillation from A Stronger Teacher (NeurIPS 2022)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Huang et al.: Knowledge Distillation from A Stronger Teacher (NeurIPS 2022)")
def dist(stages: Stages) -> str:
    """2·τ² · (1 − Pearson over the classes) + 2·τ² · (1 − Pearson over the batch) of the softened scores, τ = 4."""
    return sum_of(["weight(32, pearson(soften(logits, 4)))", "weight(32, correlation(soften(logits, 4)))"])
