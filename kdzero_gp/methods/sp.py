"""Similarity-preserving distillation: Tung, Mori: Similarity-Preserving Knowledge Distillation (ICCV 2019)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Tung, Mori: Similarity-Preserving Knowledge Distillation (ICCV 2019)", needs_stages=True)
def sp(stages: Stages) -> str:
    """3000 · MSE of the last stage's sample-by-sample Gram matrices, their rows of norm 1."""
    return f"weight(3000, l2(norm_c(mm({stages[-1]}))))"
