"""Maps reduced over channels or positions (extended set)."""

from torch import Tensor

from kdzero_gp.grammar import Map, Vector, transform
from primitives.guards import saturate

LARGEST = 1e8


@transform(Map, extended=True, formula=r"\overline{x^2}_{C}")
def satt_map(x: Tensor) -> Tensor:
    """The attention map itself: mean over channels of x², (N, C, H, W) to (N, 1, H, W); |x| saturates at 1e8.

    Source: Zagoruyko and Komodakis, "Paying more attention to attention" (ICLR 2017).
    """
    return saturate(x, -LARGEST, LARGEST).square().mean(1, keepdim=True)


@transform(Map, extended=True, idempotent=True, formula=r"\overline{x}_{C}")
def mean_c(x: Tensor) -> Tensor:
    """Mean over channels, (N, C, H, W) to (N, 1, H, W)."""
    return x.mean(1, keepdim=True)


@transform(Map, extended=True, idempotent=True, formula=r"\sum_{C}x")
def sum_c(x: Tensor) -> Tensor:
    """Sum over channels, (N, C, H, W) to (N, 1, H, W)."""
    return x.sum(1, keepdim=True)


@transform(Map, to=Vector, extended=True, formula=r"\overline{x}_{HW}")
def mean_hw(x: Tensor) -> Tensor:
    """Global average pool: mean over positions, (N, C, H, W) to (N, C)."""
    return x.mean((2, 3))
