"""Which test images a figure shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kdzero_gp.errors import ConfigError


def balanced(labels: Tensor, count: int, classes: int | None = None) -> Tensor:
    """Chooses numbers of test images, the first ones of every class in turn, by class: (≤ count,) int64.

    Args:
        labels: (N,) int64 of the test split.
        count: of images at most.
        classes: how many classes at most, the lowest ones; None takes as many as there are images for.

    Raises:
        ConfigError: no images, or no classes.
    """
    if count < 1:
        raise ConfigError(f"--images is {count}, but must be at least 1")
    if classes is not None and classes < 2:
        raise ConfigError(f"--classes is {classes}, but must be at least 2")
    known = labels.cpu().unique().tolist()[: classes or count]
    each = [(labels.cpu() == label).nonzero().flatten().tolist() for label in known]
    turn = sorted((place, group) for group, numbers in enumerate(each) for place in range(len(numbers)))[:count]
    return torch.tensor([each[group][place] for place, group in sorted(turn, key=lambda t: (t[1], t[0]))])


def numbered(numbers: Sequence[int], count: int) -> Tensor:
    """Makes a tensor of the numbers that a user gives.

    Raises:
        ConfigError: one is no test image's.
    """
    for number in numbers:
        if not 0 <= number < count:
            raise ConfigError(f"--number is {number}, but the test images are numbered 0 to {count - 1}")
    return torch.tensor(list(numbers))
