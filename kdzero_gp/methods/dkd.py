"""Decoupled distillation: Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022)", warmup_epochs=20)
def dkd(stages: Stages) -> str:
    """1 · TCKD + 2 · NCKD at τ = 4; 2 is the authors' choice for ResNet-56 to ResNet-20, for most pairs it is 8."""
    return sum_of(["weight(1, tckd(logits, 4))", "weight(2, nckd(logits, 4))"])
