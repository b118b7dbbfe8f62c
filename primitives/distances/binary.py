"""Distances between scores that stand for a yes or no in each class, where an image may have several classes."""

import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Logits, Tau, distance


@distance(
    Logits,
    constants=(Tau,),
    classes="independent",
    extended=True,
    formula=r"\tau^2\,\overline{\mathrm{KL}(\mathrm{Bern}(\sigma(t_k/\tau))\,\Vert\,\mathrm{Bern}(\sigma(s_k/\tau)))}_{k}",
)
def sigmoid_kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """τ² · KL between the two sides' yes-or-no of each class, σ(z/τ), averaged over the classes of (N, K); (N,).

    Hinton's divergence (2015) for every class by itself: ≥ 0, and 0 only where all scores are equal. Drawn only where
    classes do not exclude one another.
    """
    s, t = student / tau, teacher / tau
    yes = t.sigmoid() * (F.logsigmoid(t) - F.logsigmoid(s))
    no = (-t).sigmoid() * (F.logsigmoid(-t) - F.logsigmoid(-s))
    return tau**2 * (yes + no).clamp(min=0).mean(1)
