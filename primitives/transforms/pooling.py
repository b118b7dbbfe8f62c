"""Maps at coarser scales, by max-pooling with kernel = stride = r.

Source of all: KD-Zero (NeurIPS 2023), Table 1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Vector, transform


@transform(Map, identity=True, formula=r"x")
def scale_r1(x: Tensor) -> Tensor:
    """The map at its own scale, (N, C, H, W): a 1 × 1 pooling changes nothing. Source: KD-Zero, Table 1."""
    return x


@transform(Map, formula=r"\mathrm{maxpool}_{2}(x)")
def scale_r2(x: Tensor) -> Tensor:
    """The map at half its scale, (N, C, ⌈H/2⌉, ⌈W/2⌉): 2 × 2 max-pooling in ceil mode.

    Source: KD-Zero, Table 1.
    """
    return F.max_pool2d(x, 2, ceil_mode=True)


@transform(Map, to=Vector, formula=r"[\mathrm{maxpool}_1(x),\mathrm{maxpool}_2(x),\mathrm{maxpool}_4(x)]")
def multi_scale(x: Tensor) -> Tensor:
    """A pyramid: r × r max-pooling for r = 1, 2, 4, each flattened, then concatenated, (N, D).

    In ceil mode as `scale_r2`: D = C · Σ_r ⌈H/r⌉ · ⌈W/r⌉; an r larger than H or W is skipped. Source: KD-Zero, Table 1.
    """
    levels = [F.max_pool2d(x, r, ceil_mode=True).flatten(1) for r in (2, 4) if r <= min(x.shape[2:])]
    return torch.cat([x.flatten(1), *levels], 1)
