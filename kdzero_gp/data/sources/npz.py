"""`npz:FILE`: images and labels in numpy's archive format.

Keys: `x` (N, H, W, C) or (N, H, W), pixels 0 … 255; `y` (N,) labels 0 … K - 1, or for `--task multilabel` (N, K) of 0
and 1; optionally `x_test` and `y_test`.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.sources.arrays import Arrays, checked
from kdzero_gp.data.sources.in_memory import in_memory
from kdzero_gp.data.sources.multi_hot import checked_multi_hot, multi_hot_in_memory
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import LabelForm, SplitRules
from kdzero_gp.errors import DataError
from kdzero_gp.untrusted import user_path

KEYS = ("x", "y", "x_test", "y_test")


@source(Source("npz:FILE", ending=".npz", labels=("class", "multi_hot")))
def load_npz(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Read an archive and split it.

    The test split is, in this order: `x_test` and `y_test` of the same file; the file `NAME_test.npz` beside a
    `NAME_train.npz`; a class-balanced share of the data. The validation split is a class-balanced share of the
    training data.

    Args:
        place: path of the archive; `~` is expanded.
        rules: the shares, and how many of the first training images are used, the validation split among them;
            their labels are the form of `y`.

    Raises:
        DataError: says which file, what was found, what is needed and what to do.
    """
    path = user_path(place)
    stored = _read(path)
    train = _pair(stored, "x", "y", path, rules.labels)
    test, test_path = _given_test(stored, path, rules.labels)
    split = multi_hot_in_memory if rules.labels == "multi_hot" else in_memory
    return split(path.stem.removesuffix("_train"), facts, train, test, rules, path=path, test_path=test_path)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"there is no data file {path}; give the path of an .npz with the keys x and y")
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


def _pair(stored: dict[str, np.ndarray], x: str, y: str, path: Path, labels: LabelForm) -> Arrays:
    if missing := [key for key in (x, y) if key not in stored]:
        raise DataError(
            f"{path} has the keys {', '.join(stored)}, but no {' and no '.join(missing)}; "
            f"write both with np.savez(path, {x}=…, {y}=…)"
        )
    check = checked_multi_hot if labels == "multi_hot" else checked
    return check(stored[x], stored[y], f"{x} of {path}", f"{y} of {path}")


def _given_test(stored: dict[str, np.ndarray], path: Path, labels: LabelForm) -> tuple[Arrays | None, Path]:
    if "x_test" in stored or "y_test" in stored:
        return _pair(stored, "x_test", "y_test", path, labels), path
    sibling = path.with_name(path.name.removesuffix("_train.npz") + "_test.npz")
    if path.name.endswith("_train.npz") and sibling.is_file():
        return _pair(_read(sibling), "x", "y", sibling, labels), sibling
    return None, path
