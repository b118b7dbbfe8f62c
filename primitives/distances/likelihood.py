"""Distances that are likelihoods of the teacher's features given the student's (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Vector, distance
from primitives.guards import both_present, saturate


@distance(Map, Vector, extended=True, formula=r"\tfrac12\overline{\log(1+\overline{(s-t)^2}_{NHW})}_{C}")
def nll_gauss(student: Tensor, teacher: Tensor) -> Tensor:
    """Gaussian negative log-likelihood of the teacher, one variance per channel at its best value for the batch.

    ½ · mean over channels of log(1 + mean over N, H, W of (s − t)²): what ½[(1 + (s − t)²)/σ² + log σ²] comes to at the
    σ² that minimises it, less its value at s = t; 1 is the variance at equality. The same value for every sample, (N,).
    |s − t| saturates at 1e16.
    Source: Ahn et al., "Variational Information Distillation" (CVPR 2019), which learns σ² by gradient steps.
    """
    student, teacher = both_present(student, teacher)
    difference = saturate(student - teacher, -1e16, 1e16).square()
    error = difference.mean((0, 2, 3)) if difference.dim() == 4 else difference.mean(0)
    return (torch.log1p(error).mean() / 2).expand(student.shape[0])
