"""Decoupled distillation: Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022)."""

from kdzero_gp.methods.method import Stages, sum_of, tree_method


@tree_method("Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022)", warmup_epochs=20)
def dkd(stages: Stages, *, alpha: float = 1.0, beta: float = 2.0) -> str:
    """α · TCKD + β · NCKD at τ = 4, α = 1; β = 2 is the authors' choice for ResNet-56 to 20 and ResNet-110 to 32.

    Theirs is 6 for WRN-40-2 to WRN-16-2 and WRN-40-1 and for VGG-13 to VGG-8 and MobileNetV2; 8 for ResNet-32x4 to 8x4
    and both ShuffleNets, WRN-40-2 to ShuffleNetV1 and ResNet-50 to MobileNetV2.
    """
    return sum_of([f"weight({alpha:g}, tckd(logits, 4))", f"weight({beta:g}, nckd(logits, 4))"])
