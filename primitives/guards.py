"""What keeps float32 finite in every composition of operations, and leaves ordinary inputs alone.

A random tree may take the fourth power of a feature and then a norm of it: squares of 1e16 summed over a map
leave float32. The functions here divide by a magnitude first where that is needed and do nothing up to |x| =
1e8.

They are written for speed, too: torch.where, masked_fill, and with them the gradients of clamp, amin and amax, take ten
times as long on a CPU as a multiplication; so does vector_norm over the first or second dimension.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-6
"""What is divided by where a norm, range or spread is zero, so that the gradient there is finite."""
SMALL = 1e-8
"""Slices whose largest element is smaller are brought to 1 before their squares are summed, lest these underflow."""
LEAST = 1e-18
FLOOR = 1e-15
"""Smallest norm of a slice after scaling: elements down to LEAST · FLOOR = 1e-33 are normalised exactly, and below that
is zero."""


def magnitude(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """max |x| / 1e8 over `dims`, at least 1, no gradient: x / magnitude can be squared and summed safely.

    Exactly 1 as long as |x| ≤ 1e8. Shape: x with size 1 in `dims`.
    """
    return (x.detach().abs().amax(dims, keepdim=True) / 1e8).clamp(min=1)


def size_of(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """What x is divided by so that its squares over `dims` neither overflow nor underflow; no gradient.

    Exactly 1 where the largest |x| is from 1e-8 to 1e8. A quotient by a norm does not depend on it. Shape: x with size
    1 in `dims`.
    """
    largest = x.detach().abs().amax(dims, keepdim=True)
    small = torch.where(largest < LEAST * FLOOR, EPS / FLOOR, largest.clamp(min=LEAST))
    return torch.where(largest < SMALL, small, (largest / 1e8).clamp(min=1))


def saturate(x: Tensor, smallest: float, largest: float) -> Tensor:
    """x clamped to [smallest, largest]; the gradient is 1 inside and 0 at and beyond the limits."""
    return F.hardtanh(x, smallest, largest)


def held(x: Tensor, smallest: float, largest: float = math.inf) -> Tensor:
    """x held to [smallest, largest] with the gradient of x itself: beyond the limits there is rounding alone."""
    change = x - x.detach()
    x = torch.where(x < smallest, smallest + change, x)
    return x if largest == math.inf else torch.where(x > largest, largest + change, x)


def both_absent(student: Tensor, teacher: Tensor) -> Tensor | None:
    """Where the scores (N, K) of both sides are −inf: classes that are masked out. None for what are no scores."""
    if student.dim() != 2 or student.shape != teacher.shape:
        return None
    return (student == -math.inf) & (teacher == -math.inf)


def both_present(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides with 0 in the place of classes that are masked out on both, on which they agree."""
    absent = both_absent(student, teacher)
    if absent is None:
        return student, teacher
    return student.masked_fill(absent, 0), teacher.masked_fill(absent, 0)


def softened(scores: Tensor, tau: float) -> Tensor:
    """Scores / τ in float64, −inf as a finite score of probability 0.

    Divergences are computed in float64: their value near equality and its gradient, τ (p_S − p_T), are differences of
    nearly equal numbers that float32 loses, at high temperatures even for scores that differ much.
    """
    return saturate(scores.double() / tau, -1e300, 1e300)


def unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x / ‖x‖₂ over `dims`, at any scale, same shape as x; 0 where x is, with the gradient of x / 1e-6."""
    scaled, norm = _with_norm(x, dims)
    return scaled / norm


def _with_norm(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """x / size, and what it is to be divided by to have norm 1."""
    scaled = x / size_of(x, dims)
    # The limit below the root: its gradient at zero is then 0, not NaN.
    return scaled, scaled.square().sum(dims, keepdim=True).clamp(min=FLOOR**2).sqrt()


def spread(x: Tensor, dim: int, absent: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """x minus its mean over `dim`, with what is needed to divide it by its own norm.

    Args:
        absent: elements that do not count, of x's shape.

    Returns:
        centred: (x − mean) / size, same shape as x, 0 where absent;
        norm: ‖centred‖₂ over `dim`, that dim kept with size 1;
        floor: the norm below which there is no variance, only rounding: 8 units in the last place of ‖x‖. A constant
            tensor is always below it.
    """
    if absent is not None:
        x = x.masked_fill(absent, 0)
    scaled = x / size_of(x, (dim,))
    mean = scaled.mean(dim, keepdim=True)
    if absent is None:
        centred = scaled - mean
    else:
        centred = (scaled - mean * (x.shape[dim] / present_of(absent, dim))).masked_fill(absent, 0)
    rounding = 8 * torch.finfo(x.dtype).eps * _norm(scaled.detach(), dim)
    return centred, _norm(centred, dim), rounding.clamp(min=FLOOR)


def present_of(absent: Tensor, dim: int) -> Tensor:
    """How many elements count along `dim`, at least 1, that dim kept with size 1."""
    return (~absent).sum(dim, keepdim=True).clamp(min=1)


def _norm(x: Tensor, dim: int) -> Tensor:
    """Euclidean norm over `dim`, kept with size 1; at zero it is 1e-19 with gradient 0."""
    return x.square().sum(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny).sqrt()


def cosine_similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Cosine between the flattened samples, (N,), in [-1, 1]; 0 where one of them is zero."""
    student, teacher = both_present(student, teacher)
    dims = tuple(range(1, student.dim()))  # flattening would copy a map that lies channels last
    (s, norm_s), (t, norm_t) = _with_norm(student, dims), _with_norm(teacher, dims)
    # Each sum is divided, not each element: that, and its gradient, would be passes over whole maps.
    return held(((s * t).sum(dims, keepdim=True) / norm_s / norm_t).flatten(), -1, 1)
