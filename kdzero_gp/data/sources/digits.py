"""`digits`: scikit-learn's 1,797 real handwritten digits, 8x8, ten classes; nothing to download."""

from __future__ import annotations

import numpy as np
import torch

from kdzero_gp.data.dataset import Dataset, Split, channel_statistics
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError

TRAIN, VAL, TEST = 1000, 400, 397
SCALE = 16.0  # pixels are counts of 0 … 16 set points in a 4x4 cell
FUSE = 5
"""Students in one program: of 20 there are four equal groups, which share out well among workers."""


@source(Source("digits", dataset="digits", scale=SCALE, preset="digits", augment="none", fuse=FUSE))
def load_digits(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Split 1000 / 400 / 397 by the permutation `np.random.RandomState(0).permutation(1797)`.

    The permutation is part of every published figure on this set, so the rules' limit alone is used.

    Args:
        rules: a limit keeps only the first of the 1000 training images.

    Raises:
        DataError: the limit is so small that a class has no training image.
    """
    from sklearn import datasets  # slow to import, and needed by this data set alone

    pixels, labels = datasets.load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(TRAIN + VAL + TEST)
    images = torch.from_numpy(pixels.reshape(-1, 1, 8, 8).astype(np.uint8)[order])
    classes = torch.from_numpy(labels.astype(np.int64)[order])
    train, val, test = (
        Split(part_images, part_labels)
        for part_images, part_labels in zip(
            images.split([TRAIN, VAL, TEST]), classes.split([TRAIN, VAL, TEST]), strict=True
        )
    )
    if rules.limit is not None:
        train = _first(train, rules.limit)
    mean, std = channel_statistics(train.images[:], facts.scale)
    return Dataset("digits", 10, train, val, test, mean, std, facts.scale)


def _first(train: Split, limit: int) -> Split:
    part = Split(train.images[:limit], train.labels[:limit])
    if (present := len(part.labels.unique())) < 10:
        raise DataError(
            f"the limit of {limit} training images leaves {present} of the 10 digits, but every class needs an image; "
            "raise the limit"
        )
    return part
