"""Hinton's divergence in two parts: the true class against the rest, and the rest among themselves (extended set).

With p the probability of the true class at temperature τ, KL = TCKD + (1 − p_T)·NCKD.
Source of both: Zhao et al., "Decoupled Knowledge Distillation" (CVPR 2022).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Logits, Tau, distance
from primitives.guards import held, softened


def _others(scores: Tensor, targets: Tensor) -> Tensor:
    """The scores (N, K) without the true class's, (N, K − 1), in an order that is the same for both sides."""
    classes = scores.shape[1]
    places = (targets.unsqueeze(1) + torch.arange(1, classes, device=scores.device)) % classes
    return scores.gather(1, places)


@distance(
    Logits,
    constants=(Tau,),
    labels=True,
    extended=True,
    formula=r"\tau^2\,\mathrm{KL}((p_T^{y},1-p_T^{y})\,\Vert\,(p_S^{y},1-p_S^{y}))",
)
def tckd(student: Tensor, teacher: Tensor, tau: float, *, targets: Tensor) -> Tensor:
    """τ² · KL between the two sides' (true class, all others) probabilities at temperature τ; (N,).

    Logits (N, K); `targets`: (N,) int64. 0 when there is a single class. Source: Zhao et al. (CVPR 2022).
    """
    if student.shape[1] == 1:
        return 0 * student.sum(1)
    own = targets.unsqueeze(1)
    # log-odds of the true class: its two log-probabilities keep their precision where one of them is near 0
    s, t = (
        z.gather(1, own).squeeze(1) - torch.logsumexp(_others(z, targets), 1)
        for z in (softened(student, tau), softened(teacher, tau))
    )
    right = torch.sigmoid(t) * (F.logsigmoid(t) - F.logsigmoid(s))
    wrong = torch.sigmoid(-t) * (F.logsigmoid(-t) - F.logsigmoid(-s))
    return (tau**2 * held(right + wrong, 0)).to(student.dtype)


@distance(
    Logits,
    constants=(Tau,),
    labels=True,
    extended=True,
    formula=r"\tau^2\,\mathrm{KL}(\mathrm{softmax}_{k\ne y}(t/\tau)\,\Vert\,\mathrm{softmax}_{k\ne y}(s/\tau))",
)
def nckd(student: Tensor, teacher: Tensor, tau: float, *, targets: Tensor) -> Tensor:
    """τ² · KL between the two sides' distributions over the other classes at temperature τ; (N,).

    Logits (N, K); `targets`: (N,) int64. 0 when there are fewer than three classes. Source: Zhao et al. (CVPR 2022).
    """
    if student.shape[1] == 1:
        return 0 * student.sum(1)
    log_s, log_t = (torch.log_softmax(_others(softened(z, tau), targets), 1) for z in (student, teacher))
    return (tau**2 * held((log_t.exp() * (log_t - log_s)).sum(1), 0)).to(student.dtype)
