"""Maps as sets of vectors: local windows, channels, or one flat vector.

Source of all: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform


def _windows(x: Tensor, r: int) -> Tensor:
    """The map (N, C, H, W) cut into r × r equal windows, (N, C·r·r, (H/r)·(W/r)).

    Row c·r·r + i·r + j is window (i, j) of channel c, counted from the top left, its positions in reading
    order. H and W are padded with zeros at the bottom and the right up to a multiple of r.
    """
    N, C, H, W = x.shape
    x = F.pad(x, (0, -W % r, 0, -H % r))
    h, w = x.shape[2] // r, x.shape[3] // r
    return x.reshape(N, C, r, h, r, w).transpose(3, 4).reshape(N, C * r * r, h * w)


@transform(Map, to=Rows, formula=r"\mathrm{windows}_{1\times1}(x)")
def local_r1(x: Tensor) -> Tensor:
    """The whole map as one window, (N, C, H·W): what `channel` gives. Source: KD-Zero, Table 1."""
    return _windows(x, 1)


@transform(Map, to=Rows, formula=r"\mathrm{windows}_{2\times2}(x)")
def local_r2(x: Tensor) -> Tensor:
    """Every channel cut into 2 × 2 equal windows, (N, C·4, ⌈H/2⌉·⌈W/2⌉), zero-padded.

    Source: KD-Zero, Table 1.
    """
    return _windows(x, 2)


@transform(Map, to=Rows, formula=r"\mathrm{windows}_{4\times4}(x)")
def local_r4(x: Tensor) -> Tensor:
    """Every channel cut into 4 × 4 equal windows, (N, C·16, ⌈H/4⌉·⌈W/4⌉), zero-padded.

    Source: KD-Zero, Table 1.
    """
    return _windows(x, 4)


@transform(Map, to=Vector, formula=r"\mathrm{vec}_{CHW}(x)")
def batch(x: Tensor) -> Tensor:
    """The map (N, C, H, W) as one vector for every sample, (N, C·H·W). Source: KD-Zero, Table 1."""
    return x.flatten(1)


@transform(Map, to=Rows, formula=r"\mathrm{vec}_{HW}(x)")
def channel(x: Tensor) -> Tensor:
    """The map (N, C, H, W) as one vector for every channel, (N, C, H·W). Source: KD-Zero, Table 1."""
    return x.flatten(2)


@transform(Map, extended=True, formula=r"\mathrm{unfold}_{3\times3}(x)")
def unfold3(x: Tensor) -> Tensor:
    """Every position with its 3 × 3 neighbourhood as channels, (N, C·9, H, W), zeros outside the map.

    Channel c·9 + 3·i + j holds channel c moved by (i − 1, j − 1). Extended set.
    """
    N, C, H, W = x.shape
    return F.unfold(x, 3, padding=1).view(N, C * 9, H, W)
