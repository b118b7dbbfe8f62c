"""What the teacher's side becomes before it is compared (extended set, the teacher's side alone)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, transform


@transform(Map, teacher_only=True, extended=True, formula=r"\max(t,m_c),\;m_c=\mathbb{E}[t_c\mid t_c<0]")
def margin_relu(x: Tensor) -> Tensor:
    """max(x, margin), one margin per channel: the mean of its negative values in the batch, 0 without any.

    (N, C, H, W), unchanged shape, the teacher's side alone. Source: Heo et al., "A Comprehensive Overhaul of
    Feature Distillation" (ICCV 2019), which takes the same expectation from the teacher's BatchNorm
    statistics.
    """
    negative = F.relu(-x)
    count = (x < 0).sum((0, 2, 3), keepdim=True).clamp(min=1)
    return torch.maximum(x, -negative.sum((0, 2, 3), keepdim=True) / count)


@transform(Map, teacher_only=True, extended=True, idempotent=True, formula=r"2\cdot[t>0]-1")
def binarize(x: Tensor) -> Tensor:
    """+1 where the teacher's feature is positive, −1 elsewhere, (N, C, H, W).

    Source: Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries" (AAAI 2019).
    """
    return (x > 0).to(x.dtype) * 2 - 1
