"""The augmentations that a user can name, as they suit small images and large ones."""

from __future__ import annotations

from typing import Literal

from kdzero_gp.data.augment.augmentation import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.dataset import Dataset

AugmentationName = Literal["none", "crop-flip", "strong"]
PADDING = 4
"""Pixels around an image from which a crop is cut: the usual number for CIFAR."""
AREA = (0.08, 1.0)
"""Share of an image that a random resized crop takes: the usual one for ImageNet."""
ENDLESS = 2**31
"""More views than a training has epochs."""


def named_augmentation(name: AugmentationName, data: Dataset, *, views: int) -> Augmentation:
    """Makes the augmentation called `name` for a data set.

    Args:
        name: "none"; "crop-flip": a crop out of a border of 4 pixels, or, of images whose files have sizes of their
            own, a random resized crop, and a mirroring; "strong": RandAugment and random erasing in addition.
        views: how many each image has. A streamed set has a new one in every epoch: nothing of it is kept.
    """
    if name == "none":
        return NO_AUGMENTATION
    return Augmentation(
        padding=0 if data.train.resized else PADDING,
        flip=True,
        views=ENDLESS if data.streamed else views,
        area=AREA if data.train.resized else None,
        strong=name == "strong",
    )
