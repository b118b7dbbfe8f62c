"""Random masks. Both sides get a generator in the same state, so equal shapes mean equal masks."""

import torch
from torch import Tensor

from kdzero_gp.grammar import Map, transform


def _uniform(shape: tuple[int, ...], x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform numbers of [0, 1), drawn where the generator lives and handed over on the device of x."""
    device = x.device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device).to(x.device)


@transform(Map, random=True, formula=r"x\odot m/(1-p),\;m_{nc}\sim\mathrm{Bernoulli}(1-p),\;p=0.1")
def drop(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Channel dropout of (N, C, H, W): zeroes a channel with p = 0.1, divides the rest by 0.9.

    The mask (N, C, 1, 1) is the same for student and teacher when their C agrees; the division is that of
    torch's dropout2d. Source: KD-Zero (NeurIPS 2023), Table 1.
    """
    keep = _uniform((x.shape[0], x.shape[1], 1, 1), x, generator) >= 0.1
    return x * (keep.to(x.dtype) / 0.9)


@transform(Map, random=True, formula=r"x\odot m,\;m_{nhw}\sim\mathrm{Bernoulli}(0.35)")
def mask(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Keeps each position of (N, C, H, W) with probability 0.35, zero elsewhere, without rescaling.

    One mask (N, 1, H, W) for all channels and, when H and W agree, for both sides. Source: KD-Zero (NeurIPS
    2023), Table 1. Public code draws a mask of its own for each side, so that most positions compare a value
    with zero.
    """
    keep = _uniform((x.shape[0], 1, x.shape[2], x.shape[3]), x, generator) < 0.35
    return x * keep.to(x.dtype)
