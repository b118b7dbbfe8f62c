"""The types of the grammar, named as users see them.

A knowledge type stands for a *pair* of tensors, the student's and the teacher's; N is the batch size.
The classes are never instantiated: DEAP identifies types by class, and types are ordered by name wherever an
order matters, because the order of a set of classes differs from process to process.
"""

import math
from typing import Final


class Map:
    """Feature maps, (N, C, H, W)."""


class Rows:
    """A set of R vectors for every sample, (N, R, D)."""


class Vector:
    """One vector for every sample, (N, D)."""


class Logits:
    """Class scores, (N, K): accepted wherever a `Vector` is."""


class PerSample:
    """One non-negative distance for every sample, (N,)."""


class Loss:
    """A scalar, the type of a whole distiller."""


class Value:
    """A positive constant: the weight of a term."""


class Tau:
    """A positive constant: a temperature."""


KNOWLEDGE: Final[tuple[type, ...]] = (Map, Rows, Vector, Logits)
CONSTANTS: Final[dict[type, tuple[float, ...]]] = {
    Value: (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100),
    Tau: (1, 4, 8),
}
"""Constant types and the grid that random trees draw from."""

RANGES: Final[dict[type, tuple[float, float]]] = {Value: (0, math.inf), Tau: (1e-4, 1e6)}
"""What typed text may use. Scores over a temperature beyond leave the range of floating-point numbers."""

ALL: Final[tuple[type, ...]] = (*KNOWLEDGE, PerSample, Loss, *CONSTANTS)

RANK: Final[dict[type, int]] = {Map: 4, Rows: 3, Vector: 2, Logits: 2, PerSample: 1, Loss: 0}
"""Number of tensor dimensions, the batch included."""
