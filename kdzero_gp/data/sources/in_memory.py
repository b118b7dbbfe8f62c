"""Data sets small enough to be kept whole: from checked arrays to the three splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kdzero_gp.data.dataset import Dataset, Split, channel_statistics
from kdzero_gp.data.sources.arrays import Arrays
from kdzero_gp.data.sources.source import Source
from kdzero_gp.data.sources.split import Indices, SplitRules, stratified
from kdzero_gp.errors import DataError


def in_memory(
    name: str,
    facts: Source,
    train: Arrays,
    test: Arrays | None,
    rules: SplitRules,
    *,
    path: Path,
    test_path: Path,
) -> Dataset:
    """Split arrays: test images first, then the limit, then validation images from what is left.

    Args:
        train: all images but the test set's.
        test: None takes a class-balanced `rules.test_fraction` of `train`.
        path, test_path: where the arrays come from, for messages.

    Raises:
        DataError: classes without images, a single class, test images of another shape or class.
    """
    num_classes = _num_classes(train, path)
    if test is None:
        kept, taken = stratified(train.labels, rules.test_fraction, seed=rules.seed, purpose="test")
        train, test = train.take(kept), train.take(taken)
    _require_same_kind(train, test, num_classes, test_path)
    if rules.limit is not None:
        train = train.take(np.arange(min(rules.limit, len(train.labels))))
        _require_every_class(
            train, num_classes, f"the first {rules.limit} training images of {path}", "Raise the limit"
        )
    kept, taken = stratified(train.labels, rules.val_fraction, seed=rules.seed, purpose="validation")
    splits = split_of(train, kept), split_of(train, taken), split_of(test, None)
    mean, std = facts.mean, facts.std
    if mean is None or std is None:
        mean, std = channel_statistics(splits[0].images[:], facts.scale)
    return Dataset(name, num_classes, *splits, mean, std, facts.scale)


def _num_classes(train: Arrays, path: Path) -> int:
    num_classes = int(train.labels.max()) + 1
    _require_every_class(train, num_classes, f"the training images of {path}", "Number the classes without gaps")
    if num_classes < 2:
        raise DataError(f"{path} has 1 class, but a classifier needs at least 2 different labels in y")
    return num_classes


def _require_same_kind(train: Arrays, test: Arrays, num_classes: int, test_path: Path) -> None:
    require_same_shape(train, test, test_path)
    if (largest := int(test.labels.max())) >= num_classes:
        raise DataError(
            f"A test label in {test_path} is {largest}, but the training labels go from 0 to {num_classes - 1}; "
            "drop the test images of classes that are not trained, or add training images of them"
        )


def require_same_shape(train: Arrays, test: Arrays, test_path: Path) -> None:
    """Sees that test images are as large as those of the training.

    Raises:
        DataError: they are not.
    """
    if test.images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"Test images in {test_path} are {test.images.shape[1:]} (C, H, W), but the training images are "
            f"{train.images.shape[1:]}; both must agree"
        )


def _require_every_class(data: Arrays, num_classes: int, where: str, advice: str) -> None:
    present = np.unique(data.labels)
    if len(present) == num_classes:
        return
    # The first gap is found without listing 0 … K - 1: one stray label of 10^12 would make that list huge.
    gaps = np.flatnonzero(present != np.arange(len(present)))
    missing = int(gaps[0]) if len(gaps) else len(present)
    raise DataError(
        f"class {missing} has no image among {where} ({len(present)} classes occur, the largest label is "
        f"{num_classes - 1}), but every class from 0 up needs some. {advice}, or add images of that class"
    )


def split_of(data: Arrays, indices: Indices | None) -> Split:
    """Gives some of the images, or all, as tensors."""
    part = data if indices is None else data.take(indices)
    return Split(torch.from_numpy(np.ascontiguousarray(part.images)), torch.from_numpy(part.labels))
