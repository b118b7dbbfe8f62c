"""Softmax and log-softmax over positions (hw), channels (c) and the batch (n), without temperature.

Shapes are unchanged. Source of all: KD-Zero (NeurIPS 2023), Table 1. A log-softmax of a log-softmax is
itself, since the exponentials already sum to 1.
"""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, Vector, transform


@transform(Map, formula=r"\mathrm{softmax}_{HW}(x)")
def softmax_hw(x: Tensor) -> Tensor:
    """Softmax over all positions of every channel, (N, C, H, W). Source: KD-Zero, Table 1."""
    return torch.softmax(x.flatten(2), 2).view_as(x)


@transform(Map, Vector, classes="exclusive", formula=r"\mathrm{softmax}_{C}(x)")
def softmax_c(x: Tensor) -> Tensor:
    """Softmax over dim 1 of (N, C, H, W) or (N, D). Source: KD-Zero, Table 1."""
    return torch.softmax(x, 1)


@transform(Map, Vector, formula=r"\mathrm{softmax}_{N}(x)")
def softmax_n(x: Tensor) -> Tensor:
    """Softmax over the batch, for every element of (N, C, H, W) or (N, D). Source: KD-Zero, Table 1."""
    return torch.softmax(x, 0)


@transform(Map, idempotent=True, formula=r"\log\mathrm{softmax}_{HW}(x)")
def logsoftmax_hw(x: Tensor) -> Tensor:
    """Log-softmax over all positions of every channel, (N, C, H, W). Source: KD-Zero, Table 1."""
    return torch.log_softmax(x.flatten(2), 2).view_as(x)


@transform(Map, Vector, idempotent=True, classes="exclusive", formula=r"\log\mathrm{softmax}_{C}(x)")
def logsoftmax_c(x: Tensor) -> Tensor:
    """Log-softmax over dim 1 of (N, C, H, W) or (N, D). Source: KD-Zero, Table 1."""
    return torch.log_softmax(x, 1)


@transform(Map, Vector, idempotent=True, formula=r"\log\mathrm{softmax}_{N}(x)")
def logsoftmax_n(x: Tensor) -> Tensor:
    """Log-softmax over the batch, for every element of (N, C, H, W) or (N, D).

    Source: KD-Zero, Table 1. Public code takes dim 1 under this name; here it is the batch.
    """
    return torch.log_softmax(x, 0)
