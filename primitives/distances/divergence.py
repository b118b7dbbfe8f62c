"""Distances between the distributions that scores stand for.

Source of both: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Logits, Rows, Tau, Vector, distance
from primitives.guards import held, softened


@distance(
    Vector,
    Rows,
    constants=(Tau,),
    classes="exclusive",
    formula=r"\tau^2\,\mathrm{KL}(\mathrm{softmax}(t/\tau)\,\Vert\,\mathrm{softmax}(s/\tau))",
)
def kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """τ² · KL( softmax(t/τ) ‖ softmax(s/τ) ) over the last dim, averaged over the rows of (N, R, D); (N,).

    Always a true divergence: ≥ 0, and 0 only for equal distributions. A class of probability 0 counts as 0.
    Source: Hinton et al. 2015; KD-Zero (NeurIPS 2023), Table 1. Public code feeds raw tensors to `kl_div`,
    which is no divergence and has no lower bound.
    """
    log_s, log_t = (torch.log_softmax(softened(z, tau), -1) for z in (student, teacher))
    divergence = held((log_t.exp() * (log_t - log_s)).sum(-1), 0)
    return (tau**2 * divergence.reshape(student.shape[0], -1).mean(1)).to(student.dtype)


@distance(Logits, classes="exclusive", formula=r"-\log\mathrm{softmax}(s)_{\arg\max t}")
def hard(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of the student's logits (N, K) against the teacher's predicted class; (N,).

    Source: KD-Zero, Table 1.
    """
    return F.cross_entropy(student, teacher.argmax(1), reduction="none")
