"""Class-balanced splits with a fixed seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.errors import DataError

Labels = NDArray[np.int64]
Indices = NDArray[np.int64]
LabelForm = Literal["class", "multi_hot"]
"""The class of each image, (N,) int64; or for each image a 1 for every class that it has, (N, K) float32 of 0 and 1."""


def stratified(labels: Labels, fraction: float, *, seed: int, purpose: str) -> tuple[Indices, Indices]:
    """Sets `fraction` of every class aside.

    Each class gives `round(fraction * count)` images, at least one, and keeps at least one.

    Args:
        labels: (N,) class of each image.
        fraction: share to set aside, in (0, 1).
        seed: of the permutation; the same labels and seed give the same split on every machine.
        purpose: what the part is for, named in errors ("validation", "test").

    Returns:
        (kept, set_aside): indices into `labels`, each ascending.

    Raises:
        DataError: `fraction` is not in (0, 1), or a class has a single image.
    """
    if not 0 < fraction < 1:
        raise DataError(f"the {purpose} fraction is {fraction}, but must be between 0 and 1 (both excluded)")
    taken = np.zeros(len(labels), dtype=bool)
    for label, members in _shuffled_classes(labels, seed):
        if len(members) < 2:
            raise DataError(
                f"class {label} has 1 training image, but needs at least 2 so that one can go to the {purpose} split; "
                "add images of this class, leave it out, or use more of the training images"
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        taken[members[:count]] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)


@dataclass(frozen=True)
class SplitRules:
    """How a data set is split, and how much of it is used.

    Attributes:
        val_fraction: share of every class' training images for validation, in (0, 1).
        test_fraction: share of every class' images for testing where none are given, in (0, 1).
        limit: training images that are used at most, the validation images among them; None: all.
        seed: of the splits; not the run's, so that runs with different seeds share one test split.
        labels: the form that they are wanted in.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.2
    limit: int | None = None
    seed: int = 0
    labels: LabelForm = "class"

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise DataError(f"the limit is {self.limit} training images, but must be at least 1")


def balanced_order(labels: Labels, seed: int) -> Indices:
    """Finds an order whose beginnings have equally many images of every class, as far as there are any.

    Args:
        labels: (N,) class of each image, in any order: files come class by class.
        seed: of the order within every class.

    Returns:
        (N,) indices into `labels`.
    """
    turn = np.empty(len(labels), dtype=np.int64)
    for _, members in _shuffled_classes(labels, seed):
        turn[members] = np.arange(len(members))
    return np.lexsort((labels, turn)).astype(np.int64)


def _shuffled_classes(labels: Labels, seed: int) -> Iterator[tuple[int, Indices]]:
    """Gives the indices of each class' images, shuffled; the classes ascending."""
    # RandomState's stream is frozen by numpy's compatibility policy; Generator's may change between versions.
    order = np.random.RandomState(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    classes, starts = np.unique(labels[by_class], return_index=True)
    for label, members in zip(classes, np.split(by_class, starts[1:]), strict=True):
        yield int(label), members
