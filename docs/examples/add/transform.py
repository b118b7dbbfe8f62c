"""A transform of your own: name this file by `--primitives`, or put it into the folder primitives/transforms/."""

from torch import Tensor

from kdzero_gp import Map, transform


@transform(Map, formula=r"x\cdot\overline{|x|}_{C}")
def energy(x: Tensor) -> Tensor:
    """Weights every position by its mean activation; (N, C, H, W) stays (N, C, H, W)."""
    return x * x.abs().mean(1, keepdim=True)
