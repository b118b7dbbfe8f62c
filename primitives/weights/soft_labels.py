"""How much the soft labels of each sample count, by what teacher and student know of it already."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.grammar import weight


@weight(labels=True, normalise=False, extended=True, formula=r"u=1-\exp(-\mathrm{CE}_S/\mathrm{CE}_T)")
def w_wsld(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
    """1 − exp(−CE_S / (CE_T + 1e-7)), (N,) in [0, 1]: little where the student does better than the teacher already.

    Not rescaled to mean 1. `targets`: (N,) int64.

    Source: Zhou et al., "Rethinking Soft Labels for Knowledge Distillation" (ICLR 2021), Eq. 15.
    """
    ours, theirs = (F.cross_entropy(scores, targets, reduction="none") for scores in (student, teacher))
    return 1 - torch.exp(-(ours / (theirs + 1e-7)).clamp(min=0))
