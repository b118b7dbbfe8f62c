"""A distance of your own: name this file by `--primitives`, or put it into the folder primitives/distances/."""

import torch
from torch import Tensor

from kdzero_gp import Tau, Vector, distance


@distance(Vector, constants=(Tau,), formula=r"\tau^2\,\Vert \mathrm{softmax}(s/\tau)-\mathrm{softmax}(t/\tau) \Vert_1")
def tv(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """τ² times the total variation, doubled, of the softened distributions; (N, K) and (N, K) to (N,)."""
    return tau**2 * (torch.softmax(student / tau, 1) - torch.softmax(teacher / tau, 1)).abs().sum(1)
