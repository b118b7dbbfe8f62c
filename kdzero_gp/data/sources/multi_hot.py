"""Images that may have several classes, or none: labels (N, K) of 0 and 1, checked and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.data.dataset import Dataset, channel_statistics
from kdzero_gp.data.sources.arrays import Arrays, checked_images, require_numbers
from kdzero_gp.data.sources.in_memory import require_same_shape, split_of
from kdzero_gp.data.sources.source import Source
from kdzero_gp.data.sources.split import Labels, SplitRules, stratified
from kdzero_gp.errors import DataError


def checked_multi_hot(x: NDArray[Any], y: NDArray[Any], x_name: str, y_name: str) -> Arrays:
    """Checks a user's images and labels.

    Args:
        x: as for `kdzero_gp.data.sources.arrays.checked`.
        y: (N, K) of 0 and 1, of any type.
        x_name, y_name: what messages call them.

    Raises:
        DataError: the first rule that is broken, with the value found and the way out.
    """
    images = checked_images(x, x_name)
    if y.ndim != 2:
        hint = "; --task classification takes one class for each image" if y.ndim == 1 else ""
        raise DataError(f"{y_name} has shape {y.shape}, but must be (N, K) for --task multilabel{hint}")
    if len(x) != len(y):
        raise DataError(f"{x_name} has {len(x)} images, but {y_name} has {len(y)} rows; both must be equally many")
    if len(y) < 3:
        raise DataError(
            f"{x_name} has {len(y)} images; at least one each for training, validation and testing is needed"
        )
    if y.shape[1] < 1:
        raise DataError(f"{y_name} has shape {y.shape}, that is no class; at least one is needed")
    y = y.astype(np.uint8) if y.dtype == np.bool_ else y
    require_numbers(y, y_name)
    if (wrong := (y != 0) & (y != 1)).any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{y_name} has the value {y[row, column]:g} at index [{row}, {column}], but must hold 0 and 1 alone: 1 "
            "where the image has the class"
        )
    return Arrays(images, y.astype(np.float32))


def multi_hot_in_memory(
    name: str,
    source: Source,
    train: Arrays,
    test: Arrays | None,
    rules: SplitRules,
    *,
    path: Path,
    test_path: Path,
) -> Dataset:
    """Splits arrays: test images first, then the limit, then validation images from what is left.

    An image counts for the rarest of its classes when splits are balanced.

    Args: as of `kdzero_gp.data.sources.in_memory.in_memory`.

    Raises:
        DataError: a class that no training image has, or that all have; test images of another shape or with other
            classes.
    """
    if test is None:
        kept, taken = stratified(rarest(train.labels), rules.test_fraction, seed=rules.seed, purpose="test")
        train, test = train.take(kept), train.take(taken)
    require_same_shape(train, test, test_path)
    if test.labels.shape[1] != train.labels.shape[1]:
        raise DataError(
            f"The test labels in {test_path} have {test.labels.shape[1]} classes, but the training labels have "
            f"{train.labels.shape[1]}; both must agree"
        )
    if rules.limit is not None:
        train = train.take(np.arange(min(rules.limit, len(train.labels))))
    kept, taken = stratified(rarest(train.labels), rules.val_fraction, seed=rules.seed, purpose="validation")
    splits = split_of(train, kept), split_of(train, taken), split_of(test, None)
    _require_both(train.labels[kept], path)
    for part, purpose in ((train.labels[taken], "validation"), (test.labels, "test")):
        if not part.any():
            raise DataError(f"No {purpose} image of {path} has any class, so nothing can be measured; add such images")
    mean, std = source.mean, source.std
    if mean is None or std is None:
        mean, std = channel_statistics(splits[0].images[:], source.scale)
    return Dataset(name, train.labels.shape[1], *splits, mean, std, source.scale)


def rarest(labels: NDArray[Any]) -> Labels:
    """Finds the rarest class of each image, by which splits are balanced: (N,) int64, K for none.

    Groups of a single image, which cannot be divided, are put together with the largest one.

    Args:
        labels: (N, K) of 0 and 1.
    """
    counts = labels.sum(0)
    classes = labels.shape[1]
    groups: Labels = np.where(labels.any(1), np.where(labels > 0, counts, np.inf).argmin(1), classes).astype(np.int64)
    sizes = np.bincount(groups, minlength=classes + 1)
    groups[sizes[groups] == 1] = sizes.argmax()
    return groups


def _require_both(labels: NDArray[Any], path: Path) -> None:
    """Sees that every class can be learned: some images have it and some have not."""
    for found, share in (("no", labels.sum(0) == 0), ("every", labels.sum(0) == len(labels))):
        if share.any():
            raise DataError(
                f"{found.capitalize()} training image of {path} has class {int(share.argmax())}, after validation and "
                "test images were set aside, but a class is learned from images with it and images without it; leave "
                "the class out, or add images"
            )
