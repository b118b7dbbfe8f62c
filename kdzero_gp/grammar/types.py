"""The types of the grammar, named as users see them.

A knowledge type stands for a *pair* of tensors, the student's and the teacher's; N is the batch size.
The classes are never instantiated: DEAP identifies types by class, and types are ordered by name wherever an
order matters, because the order of a set of classes differs from process to process.
"""

import math
from typing import ClassVar, Final

from kdzero_gp.errors import PrimitiveError


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


CONSTANTS: Final[dict[type, tuple[float, ...]]] = {}
"""Constant types, by declaration, and the grid that random trees draw from."""


class Constant:
    r"""A positive number of a distiller. A kind of constant is a subclass, which parser, drawings and LaTeX read.

    A new one can be declared beside the operation that takes it:

        class Margin(Constant):
            grid = (0.1, 0.5, 1)
            sign = plain_sign = latex = "m"

    Attributes:
        grid: the values that random trees draw from, in ascending order.
        limits: least and greatest value that typed text may use.
        sign: stands before the number in drawings, as in τ=4; "" where the number stands alone.
        plain_sign: the sign where only ASCII can be shown.
        latex: the sign in LaTeX, where it stands below the operation's name; "" puts the number among the arguments.
    """

    grid: ClassVar[tuple[float, ...]]
    limits: ClassVar[tuple[float, float]] = (0, math.inf)
    sign: ClassVar[str] = ""
    plain_sign: ClassVar[str] = ""
    latex: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        grid = getattr(cls, "grid", ())
        if not grid or list(grid) != sorted(set(grid)) or not all(0 < value < math.inf for value in grid):
            raise PrimitiveError(
                f"the constant type {cls.__name__} has the grid {grid}, but needs one of positive numbers in ascending "
                "order, such as grid = (0.1, 0.5, 1)"
            )
        CONSTANTS[cls] = grid


class Value(Constant):
    """A positive constant: the weight of a term."""

    grid = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100)


class Tau(Constant):
    """A positive constant: a temperature."""

    grid = (1, 4, 8)
    limits = (1e-4, 1e6)  # scores over a temperature beyond leave the range of floating-point numbers
    sign = "τ"
    plain_sign = "tau"
    latex = r"\tau"


KNOWLEDGE: Final[tuple[type, ...]] = (Map, Rows, Vector, Logits)
RESULTS: Final[tuple[type, ...]] = (PerSample, Loss)

RANK: Final[dict[type, int]] = {Map: 4, Rows: 3, Vector: 2, Logits: 2, PerSample: 1, Loss: 0}
"""Number of tensor dimensions, the batch included."""
