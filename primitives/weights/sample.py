"""How much each sample counts, from both sides' logits (N, K); the engine rescales u to mean 1.

Source of all: KD-Zero (NeurIPS 2023), Table 1.
"""

import math

import torch
from torch import Tensor

from kdzero_gp.grammar import weight
from primitives.guards import cosine_similarity


@weight(classes="exclusive", formula=r"u=1-H(p_T)/\log K")
def w_entropy(student: Tensor, teacher: Tensor) -> Tensor:
    """1 − H(p_T) / log K, the teacher's certainty, (N,) in [0, 1]; 1 when there is a single class.

    Source: KD-Zero, Table 1.
    """
    if teacher.shape[1] == 1:
        return torch.ones_like(teacher[:, 0])
    log_p = torch.log_softmax(teacher, 1).clamp(min=torch.finfo(teacher.dtype).min)  # of p = 0 too, which counts as 0
    entropy = -(log_p.exp() * log_p).sum(1)
    return (1 - entropy / math.log(teacher.shape[1])).clamp(min=0)


@weight(labels=True, formula=r"u=(1-p_S[y])^2")
def w_focal(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
    """(1 − p_S[y])², the student's difficulty with the true class, (N,) in [0, 1]. `targets`: (N,) int64.

    Source: KD-Zero, Table 1.
    """
    p = torch.softmax(student, 1).gather(1, targets.unsqueeze(1)).squeeze(1)
    return (1 - p).square()


@weight(formula=r"u=(1+\cos(z_S,z_T))/2")
def w_sim(student: Tensor, teacher: Tensor) -> Tensor:
    """(1 + cosine of the two logit vectors) / 2, their agreement, (N,) in [0, 1].

    Source: KD-Zero, Table 1.
    """
    return (1 + cosine_similarity(student, teacher)) / 2


@weight(classes="exclusive", formula=r"u=\max p_T")
def w_conf(student: Tensor, teacher: Tensor) -> Tensor:
    """The teacher's highest class probability, (N,) in (0, 1]. Source: KD-Zero, Table 1."""
    return torch.softmax(teacher, 1).amax(1)


@weight(identity=True, formula=r"u=1")
def w_no(student: Tensor, teacher: Tensor) -> Tensor:
    """1 for every sample, (N,). Source: KD-Zero, Table 1."""
    return torch.ones_like(student[:, 0])
