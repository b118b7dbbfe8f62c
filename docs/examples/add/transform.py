"""A transform of your own, for `--primitives` or the folder primitives/transforms/."""

from torch import Tensor

from kdzero_gp import Map, transform


@transform(Map, formula=r"x\cdot\overline{|x|}_{C}")
def energy(x: Tensor) -> Tensor:
    """Weights every position by its mean activation; (N, C, H, W), unchanged."""
    return x * x.abs().mean(1, keepdim=True)
