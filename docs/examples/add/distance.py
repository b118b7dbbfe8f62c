"""A distance of your own, for `--primitives` or the folder primitives/distances/."""

import torch
from torch import Tensor

from kdzero_gp import Tau, Vector, distance


@distance(Vector, constants=(Tau,), formula=r"\tau^2\,\Vert p_s - p_t \Vert_1")
def tv(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """τ² times the l1 distance of the softened distributions; two (N, K) to (N,)."""
    p_s, p_t = torch.softmax(student / tau, 1), torch.softmax(teacher / tau, 1)
    return tau**2 * (p_s - p_t).abs().sum(1)
