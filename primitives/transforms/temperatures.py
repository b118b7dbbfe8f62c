"""Class scores as probabilities at a temperature (extended set)."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Tau, Vector, transform


@transform(Vector, constants=(Tau,), classes="exclusive", extended=True, formula=r"\mathrm{softmax}_{C}(x/\tau)")
def soften(x: Tensor, tau: float) -> Tensor:
    """Softmax of x / τ over dim 1, (N, D). `soften(x, 1)` is `softmax_c(x)`.

    DIST compares these probabilities by `pearson` (rows: one sample's classes) and `correlation` (columns: one class
    over the batch), so no transposed view is needed, which would put classes where the engine keeps the batch.
    Source: Hinton et al. (2015); Huang et al., "Knowledge Distillation from A Stronger Teacher" (NeurIPS 2022).
    """
    return torch.softmax(x / tau, 1)
