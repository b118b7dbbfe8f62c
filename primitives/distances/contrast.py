"""Distances that tell a sample from the others of its batch (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Tau, Vector, distance
from primitives.guards import both_present, unit


@distance(
    Map,
    Rows,
    Vector,
    constants=(Tau,),
    extended=True,
    formula=r"-\log\frac{e^{\cos(s_i,t_i)/\tau}}{\sum_j e^{\cos(s_i,t_j)/\tau}}",
)
def infonce(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Cross-entropy of finding one's own teacher among the batch's, by the cosine of the flattened samples; (N,).

    In [0, log N + 2/τ]; not 0 where both sides agree, save for N = 1. Contrastive methods take τ from 0.07 to 0.1.
    Source: van den Oord et al., "Representation Learning with Contrastive Predictive Coding" (2018); between teacher
    and student: Tian et al., "Contrastive Representation Distillation" (ICLR 2020), whose negatives come from a memory.
    """
    student, teacher = both_present(student, teacher)
    scores = unit(student.flatten(1), (1,)) @ unit(teacher.flatten(1), (1,)).T / tau
    return torch.logsumexp(scores, 1) - scores.diagonal()
