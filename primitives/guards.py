"""What keeps float32 finite in every composition of operations, and leaves ordinary inputs alone.

A random tree may take the fourth power of a feature and then a norm of it: squares of 1e16 summed over a map
leave float32. The functions here divide by a magnitude first where that is needed and do nothing up to |x| =
1e8.

They are written for speed, too: torch.where, masked_fill, and with them the gradients of clamp, amin and amax, take ten
times as long on a CPU as a multiplication; so does vector_norm over the first or second dimension.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-6
"""Smallest norm, range or spread that anything is divided by."""


def magnitude(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """max |x| / 1e8 over `dims`, at least 1, no gradient: x / magnitude can be squared and summed safely.

    Exactly 1 as long as |x| ≤ 1e8. Shape: x with size 1 in `dims`.
    """
    return (x.detach().abs().amax(dims, keepdim=True) / 1e8).clamp(min=1)


def saturate(x: Tensor, smallest: float, largest: float) -> Tensor:
    """x clamped to [smallest, largest]; the gradient is 1 inside and 0 at and beyond the limits."""
    return F.hardtanh(x, smallest, largest)


def unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x / max(‖x‖₂ over `dims`; 1e-6), same shape as x; the gradient at zero is that of x / 1e-6."""
    scaled, norm = _with_norm(x, dims)
    return scaled / norm


def _with_norm(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """x / magnitude, and what it is to be divided by to have norm 1."""
    scale = magnitude(x, dims)
    scaled = x / scale
    # The limit below the root: its gradient at zero is then 0, not NaN.
    squares = torch.maximum(scaled.square().sum(dims, keepdim=True), (EPS / scale).square())
    return scaled, squares.sqrt()


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
    rounding = 8 * torch.finfo(x.dtype).eps * _norm(scaled.detach(), dim)
    return centred, _norm(centred, dim), torch.maximum(rounding, smallest / scale)


def _norm(x: Tensor, dim: int) -> Tensor:
    """Euclidean norm over `dim`, kept with size 1; at zero it is 1e-19 with gradient 0."""
    return x.square().sum(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny).sqrt()


def cosine_similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Cosine between the flattened samples, (N,), in [-1, 1]; 0 where one of them is zero."""
    dims = tuple(range(1, student.dim()))  # flattening would copy a map that lies channels last
    (s, norm_s), (t, norm_t) = _with_norm(student, dims), _with_norm(teacher, dims)
    # Each sum is divided, not each element: that, and its gradient, would be passes over whole maps.
    return ((s * t).sum(dims, keepdim=True) / norm_s / norm_t).flatten().clamp(-1, 1)
