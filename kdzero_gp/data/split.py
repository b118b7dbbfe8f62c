"""Class-balanced splits with a fixed seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.errors import DataError

Labels = NDArray[np.int64]
Indices = NDArray[np.int64]


def stratified(labels: Labels, fraction: float, *, seed: int, purpose: str) -> tuple[Indices, Indices]:
    """Set aside `fraction` of every class.

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
        raise DataError(f"The {purpose} fraction is {fraction}, but must be between 0 and 1 (both excluded)")
    # RandomState's stream is frozen by numpy's compatibility policy; Generator's may change between versions.
    order = np.random.RandomState(seed).permutation(len(labels))
    taken = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        if len(members) < 2:
            raise DataError(
                f"Class {label} has 1 training image, but needs at least 2 so that one can go to the {purpose} split; "
                "add images of this class, leave it out, or use more of the training images"
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        taken[members[:count]] = True
    return np.flatnonzero(~taken), np.flatnonzero(taken)
