"""`npz:FILE`: images and labels in numpy's archive format.

Keys: `x` (N, H, W, C) or (N, H, W), pixels 0 … 255; `y` (N,) labels 0 … K - 1; optionally `x_test` and `y_test`.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from kdzero_gp.data.arrays import Arrays, checked
from kdzero_gp.data.dataset import Dataset, Split, channel_statistics
from kdzero_gp.data.split import Indices, stratified
from kdzero_gp.errors import DataError

SCALE = 255.0
KEYS = ("x", "y", "x_test", "y_test")


def load_npz(
    path: str | Path,
    *,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    limit: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Read an archive and split it.

    The test split is, in this order: `x_test` and `y_test` of the same file; the file `NAME_test.npz` beside a
    `NAME_train.npz`; a class-balanced `test_fraction` of the data. The validation split is a class-balanced
    `val_fraction` of the training data.

    Args:
        path: the archive; `~` is expanded.
        val_fraction: share of the training images, in (0, 1).
        test_fraction: share of all images, in (0, 1); used only where no test data is given.
        limit: use only the first `limit` training images, the validation split among them.
        seed: of the splits.

    Raises:
        DataError: says which file, what was found, what is needed and what to do.
    """
    path = Path(path).expanduser()
    stored = _read(path)
    train = _pair(stored, "x", "y", path)
    num_classes = _num_classes(train, path)
    test, test_source = _given_test(stored, path)
    if test is None:
        kept, taken = stratified(train.labels, test_fraction, seed=seed, purpose="test")
        train, test = train.take(kept), train.take(taken)
    _require_same_kind(train, test, num_classes, test_source)
    if limit is not None:
        if limit < 1:
            raise DataError(f"The limit is {limit} training images, but must be at least 1")
        train = train.take(np.arange(min(limit, len(train.labels))))
        _require_every_class(train, num_classes, f"the first {limit} training images of {path}", "Raise the limit")
    kept, taken = stratified(train.labels, val_fraction, seed=seed, purpose="validation")
    splits = _split(train, kept), _split(train, taken), _split(test, None)
    mean, std = channel_statistics(splits[0].images, SCALE)
    return Dataset(path.stem.removesuffix("_train"), num_classes, *splits, mean, std, SCALE)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"There is no data file {path}; give the path of an .npz with the keys x and y")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds a single array, but must be an .npz; write it with np.savez(path, x=…, y=…)")
        with archive:
            return {key: archive[key] for key in KEYS if key in archive.files} or _no_keys(path, archive.files)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        MemoryError,
        NotImplementedError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "pickle" in reason:
            raise DataError(
                f"{path} is no .npz, or holds Python objects, which could run any code when loaded and are refused; "
                "write plain arrays: np.savez(path, x=images.astype('uint8'), y=labels.astype('int64'))"
            ) from error
        raise DataError(
            f"{path} cannot be read as .npz ({reason}); it is truncated or damaged: get it again"
        ) from error


def _no_keys(path: Path, found: list[str]) -> dict[str, np.ndarray]:
    raise DataError(
        f"{path} holds the keys {', '.join(found) or '(none)'}, but needs x (images) and y (labels); "
        "write it with np.savez(path, x=…, y=…)"
    )


def _pair(stored: dict[str, np.ndarray], x: str, y: str, path: Path) -> Arrays:
    if missing := [key for key in (x, y) if key not in stored]:
        raise DataError(
            f"{path} has the keys {', '.join(stored)}, but no {' and no '.join(missing)}; "
            f"write both with np.savez(path, {x}=…, {y}=…)"
        )
    return checked(stored[x], stored[y], f"{x} of {path}", f"{y} of {path}")


def _given_test(stored: dict[str, np.ndarray], path: Path) -> tuple[Arrays | None, Path]:
    if "x_test" in stored or "y_test" in stored:
        return _pair(stored, "x_test", "y_test", path), path
    sibling = path.with_name(path.name.removesuffix("_train.npz") + "_test.npz")
    if path.name.endswith("_train.npz") and sibling.is_file():
        return _pair(_read(sibling), "x", "y", sibling), sibling
    return None, path


def _num_classes(train: Arrays, path: Path) -> int:
    num_classes = int(train.labels.max()) + 1
    _require_every_class(train, num_classes, f"the training images of {path}", "Number the classes without gaps")
    if num_classes < 2:
        raise DataError(f"{path} has 1 class, but a classifier needs at least 2 different labels in y")
    return num_classes


def _require_same_kind(train: Arrays, test: Arrays, num_classes: int, test_path: Path) -> None:
    if test.images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"Test images in {test_path} are {test.images.shape[1:]} (C, H, W), but the training images are "
            f"{train.images.shape[1:]}; both must agree"
        )
    if (largest := int(test.labels.max())) >= num_classes:
        raise DataError(
            f"A test label in {test_path} is {largest}, but the training labels go from 0 to {num_classes - 1}; "
            "drop the test images of classes that are not trained, or add training images of them"
        )


def _require_every_class(data: Arrays, num_classes: int, where: str, advice: str) -> None:
    present = np.unique(data.labels)
    if len(present) == num_classes:
        return
    # The first gap is found without listing 0 … K - 1: one stray label of 10^12 would make that list huge.
    gaps = np.flatnonzero(present != np.arange(len(present)))
    missing = int(gaps[0]) if len(gaps) else len(present)
    raise DataError(
        f"Class {missing} has no image among {where} ({len(present)} classes occur, the largest label is "
        f"{num_classes - 1}), but every class from 0 up needs some. {advice}, or add images of that class"
    )


def _split(data: Arrays, indices: Indices | None) -> Split:
    part = data if indices is None else data.take(indices)
    return Split(torch.from_numpy(np.ascontiguousarray(part.images)), torch.from_numpy(part.labels))
