"""Relations between samples, or between the channels of two maps (extended set)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import FLOOR, saturate, size_of, unit

LARGEST = 1e8


@transform(Map, Vector, to=Vector, extended=True, formula=r"\lVert x_i-x_j\rVert/\overline{\lVert x_i-x_j\rVert}")
def pdist(x: Tensor) -> Tensor:
    """Euclidean distances between the flattened samples over their mean (of pairs i ≠ j), (N, N).

    Source: Park et al., "Relational Knowledge Distillation" (CVPR 2019).
    """
    flat = x.flatten(1)
    flat = flat / size_of(flat, (0, 1))
    # Not through the Gram matrix: near 0 its differences are rounding, and their root has no finite gradient.
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = max(len(x) * (len(x) - 1), 1)
    return distances / (distances.sum() / pairs).clamp(min=FLOOR)


@transform(Vector, to=Vector, extended=True, formula=r"\cos\angle(x_i,x_j,x_k)")
def angles(x: Tensor) -> Tensor:
    """Cosines of the angles that pairs of samples j, k form at each sample i, (N, D) to (N, N·N).

    Entry j·N + k of row i belongs to the angle j–i–k. Costs N·N·(N + D) numbers of memory.
    Source: Park et al., "Relational Knowledge Distillation" (CVPR 2019).
    """
    others = 1 - torch.eye(len(x), dtype=x.dtype, device=x.device).unsqueeze(2)
    # A sample has no direction to itself, and the gradient of a norm at zero would drown the others' in rounding.
    directions = others * unit(x.unsqueeze(0) - x.unsqueeze(1), (2,))
    return torch.bmm(directions, directions.transpose(1, 2)).flatten(1)


@transform((Map, Map), to=Rows, extended=True, formula=r"XY^{\top}/(HW)")
def fsp(x: Tensor, y: Tensor) -> Tensor:
    """Flow between two maps: X Yᵀ / (H·W), (N, C1, H1, W1) and (N, C2, H2, W2) to (N, C1, C2).

    Both are average-pooled to the smaller height and width first; elements saturate at |x| = 1e8.
    Source: Yim et al., "A Gift from Knowledge Distillation" (CVPR 2017).
    """
    size = (min(x.shape[2], y.shape[2]), min(x.shape[3], y.shape[3]))
    left, right = (F.adaptive_avg_pool2d(saturate(z, -LARGEST, LARGEST), size).flatten(2) for z in (x, y))
    return torch.bmm(left, right.transpose(1, 2)) / left.shape[2]
