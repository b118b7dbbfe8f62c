"""What keeps float32 finite in every composition of operations, and leaves ordinary inputs alone.

A random tree may take the fourth power of a feature and then a norm of it: squares of 1e16 summed over a map
leave float32. The functions here divide by a magnitude first where that is needed and do nothing up to |x| =
1e8.
"""

import torch
from torch import Tensor

EPS = 1e-6
"""Smallest norm, range or spread that anything is divided by."""


def magnitude(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """max |x| / 1e8 over `dims`, at least 1, no gradient: x / magnitude can be squared and summed safely.

    Exactly 1 as long as |x| ≤ 1e8. Shape: x with size 1 in `dims`.
    """
    return (x.detach().abs().amax(dims, keepdim=True) / 1e8).clamp(min=1)


def unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x / max(‖x‖₂ over `dims`; 1e-6), same shape as x; the gradient at zero is that of x / 1e-6."""
    scale = magnitude(x, dims)
    scaled = x / scale
    norm = torch.linalg.vector_norm(scaled, dim=dims, keepdim=True)
    return scaled / torch.maximum(norm, EPS / scale)


def spread(x: Tensor, dim: int, smallest: float = EPS) -> tuple[Tensor, Tensor, Tensor]:
    """x minus its mean over `dim`, with what is needed to divide it by its own norm.

    Returns:
        centred: (x − mean) / magnitude, same shape as x;
        norm: ‖centred‖₂ over `dim`, that dim kept with size 1;
        floor: the norm below which there is no variance, only rounding: 8 units in the last place of ‖x‖, at
            least `smallest`. A constant tensor is always below it.
    """
    scale = magnitude(x, (dim,))
    scaled = x / scale
    centred = scaled - scaled.mean(dim, keepdim=True)
    norm = torch.linalg.vector_norm(centred, dim=dim, keepdim=True)
    rounding = 8 * torch.finfo(x.dtype).eps * torch.linalg.vector_norm(scaled.detach(), dim=dim, keepdim=True)
    return centred, norm, torch.maximum(rounding, smallest / scale)


def cosine_similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Cosine between the flattened samples, (N,), in [-1, 1]; 0 where one of them is zero."""
    product = unit(student.flatten(1), (1,)) * unit(teacher.flatten(1), (1,))
    return product.sum(1).clamp(-1, 1)
