"""Weighted soft labels: Zhou et al.: Rethinking Soft Labels for Knowledge Distillation (ICLR 2021)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method("Zhou et al.: Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff (ICLR 2021)")
def wsld(stages: Stages, *, weight: float = 2.5, temperature: float = 2.0) -> str:
    """α · τ² · KL of the logits, each sample by 1 − exp(−CE_S / CE_T); α = 2.5, τ = 2 as for ImageNet.

    The paper has the cross-entropy of the softened scores in place of their divergence: the gradient is the same. For
    CIFAR-100 α = 2.25 and τ = 4 are told; that is uncertain.
    """
    return f"weight({weight:g}, w_wsld(kl(logits, {temperature:g})))"
