"""Channel-wise distillation: Shu et al.: Channel-wise Knowledge Distillation for Dense Prediction (ICCV 2021)."""

from kdzero_gp.methods.method import Stages, tree_method


@tree_method(
    "Shu et al.: Channel-wise Knowledge Distillation for Dense Prediction (ICCV 2021)",
    needs_stages=True,
    home="Cityscapes, COCO",
)
def cwd(stages: Stages, *, weight: float = 50.0, temperature: float = 4.0) -> str:
    """50 · τ² · KL of every channel's softmax over the positions of the last map, τ = 4, mean over the channels.

    Published for dense prediction: 50 on features, 3 on a map of scores, the latter beside distillation of every pixel
    with weight 10 (the authors' default) or 1. Where channels differ a 1x1 convolution stands on the student's side.
    """
    return f"weight({weight:g}, kl(channel({stages[-1]}), {temperature:g}))"
