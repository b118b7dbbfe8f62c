"""Logit standardisation: Sun et al.: Logit Standardization in Knowledge Distillation (CVPR 2024)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Sun et al.: Logit Standardization in Knowledge Distillation (CVPR 2024)", ce_weight=0.1)
def lskd(stages: Stages) -> str:
    """9 · τ² · KL of the standardised logits, τ = 2."""
    return "weight(9, kl(zscore(logits), 2))"
