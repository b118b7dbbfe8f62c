"""`cifar10` and `cifar100`, read and downloaded by torchvision."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.sources.arrays import Arrays, checked
from kdzero_gp.data.sources.in_memory import in_memory
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError
from kdzero_gp.untrusted import user_path

DATA_VARIABLE = "KDZERO_GP_DATA"


# 50,000 training and 10,000 test images 32x32; 10 % of every class' training images are for validation. The constants
# are those of the 50,000 training images, as RepDistiller has them for CIFAR-100.
@source(Source("cifar100", dataset="cifar100", mean=(0.5071, 0.4867, 0.4408), std=(0.2675, 0.2565, 0.2761)))
@source(Source("cifar10", dataset="cifar10", mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)))
def load_cifar(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Reads CIFAR-10 or CIFAR-100, which is downloaded where it is missing.

    The files are, or shall be, in `$KDZERO_GP_DATA`, or else in `~/.cache/kdzero_gp/data`. torchvision compares every
    one with its published MD5 sum before it is read.

    Args:
        rules: the limit takes the first training images, which come in random order; the test set is the published one.

    Raises:
        DataError: it is not there and cannot be downloaded; says which file belongs where.
    """
    folder = data_folder()
    train, test = (_arrays(facts.name, folder, train=train) for train in (True, False))
    return in_memory(facts.name, facts, train, test, rules, path=folder, test_path=folder)


def data_folder() -> Path:
    """Gives the folder of data that is kept: `$KDZERO_GP_DATA`, or else `~/.cache/kdzero_gp/data`."""
    return user_path(os.environ.get(DATA_VARIABLE) or "~/.cache/kdzero_gp/data")


def _arrays(name: str, folder: Path, *, train: bool) -> Arrays:
    from torchvision import datasets  # takes a second to import

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        stored = kind(folder, train=train)
    except RuntimeError:
        stored = _downloaded(kind, folder, name, train=train)
    what = f"{'training' if train else 'test'} images of {name}"
    return checked(np.asarray(stored.data), np.asarray(stored.targets), what, f"labels of the {what}")


def _downloaded(kind: Any, folder: Path, name: str, *, train: bool) -> Any:
    """Gives what torchvision makes of the folder after a download; processes that want it at once wait for one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            return kind(folder, train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is not in {folder} and cannot be downloaded ({error}). Where there is a network, get "
            f"{kind.url} and put the file into that folder, or into another that {DATA_VARIABLE} names; or bring the "
            f"images in an archive of your own: npz:FILE with x (N, 32, 32, 3) uint8 and y (N,)"
        ) from error
