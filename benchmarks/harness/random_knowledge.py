"""Random taps of two networks that differ in everything a pair may differ in."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdzero_gp import Knowledge

CLASSES = 10


@dataclass(frozen=True)
class Shapes:
    """Sizes of one network's taps.

    Attributes:
        channels: of stage1 … stage3.
        sides: height and width of stage1 … stage3.
        width: of the pooled vector.
    """

    channels: tuple[int, int, int]
    sides: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    width: int


@dataclass(frozen=True)
class Pair:
    """A student's and a teacher's shapes, with a name for the table."""

    name: str
    student: Shapes
    teacher: Shapes


SMALL = Shapes((4, 6, 8), ((8, 8), (4, 4), (4, 4)), 8)
PAIRS = (
    Pair("teacher wider", SMALL, Shapes((8, 12, 16), ((8, 8), (4, 4), (4, 4)), 16)),
    Pair("teacher wider, finer", SMALL, Shapes((8, 12, 16), ((16, 16), (8, 8), (8, 8)), 24)),
    Pair("teacher narrower, coarser", SMALL, Shapes((3, 4, 5), ((4, 4), (2, 2), (1, 1)), 5)),
    Pair("maps not square", SMALL, Shapes((6, 6, 12), ((6, 9), (5, 3), (2, 7)), 12)),
)
"""No tap but the logits has one shape in student and teacher, save for the resolution in the first pair."""


def knowledge(shapes: Shapes, seed: int, *, batch: int = 8, rectified: bool = False, graph: bool = False) -> Knowledge:
    """Normal random taps; `rectified` maps and vectors are zero where a ReLU would have them, logits never are.

    Args:
        graph: the taps require gradients.
    """
    generator = torch.Generator().manual_seed(seed)

    def tensor(*size: int) -> Tensor:
        drawn = torch.randn(batch, *size, generator=generator)
        return (drawn.relu() if rectified else drawn).requires_grad_(graph)

    maps = {
        f"stage{n}": tensor(c, *side) for n, (c, side) in enumerate(zip(shapes.channels, shapes.sides, strict=True), 1)
    }
    logits = torch.randn(batch, CLASSES, generator=generator).requires_grad_(graph)
    return Knowledge(**maps, pool=tensor(shapes.width), logits=logits)


def targets(seed: int, *, batch: int = 8) -> Tensor:
    """Random class labels, (N,) int64."""
    return torch.randint(CLASSES, (batch,), generator=torch.Generator().manual_seed(seed))
