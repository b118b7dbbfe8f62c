"""Folders of images, one folder for each class: which files there are, and what is wrong with them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.data.sources.split import Indices, Labels
from kdzero_gp.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, eq=False)
class Listing:
    """Image files with their classes.

    Attributes:
        root: the folder that names begin at.
        classes: in alphabetical order; their places are the labels.
        names: N paths below `root`, sorted class by class.
        sizes: (N,) int64, bytes of each file.
        labels: (N,) int64.
    """

    root: Path
    classes: tuple[str, ...]
    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    labels: Labels

    def take(self, indices: Indices) -> Listing:
        """Takes some of the files, in the order given."""
        names = tuple(self.names[int(index)] for index in indices)
        return Listing(self.root, self.classes, names, self.sizes[indices], self.labels[indices])

    def joined(self, other: Listing) -> Listing:
        """Appends the files of another folder with equal classes."""
        names = other.names
        if other.root != self.root:
            names = tuple(os.path.relpath(other.root / name, self.root) for name in names)
        sizes, labels = (np.concatenate(pair) for pair in ((self.sizes, other.sizes), (self.labels, other.labels)))
        return Listing(self.root, self.classes, self.names + names, sizes, labels)


def listed(folder: Path) -> Listing:
    """Lists the images below `folder`, whose own folders are the classes; those may hold further folders.

    Hidden files and folders, and files with other endings than images have, are passed over. Links are followed.

    Raises:
        DataError: no class, a class without images, a link that leads back into itself, a broken one.
    """
    classes = tuple(sorted(entry.name for entry in _entries(folder) if entry.is_dir()))
    if not classes:
        loose = any(_is_image(entry) for entry in _entries(folder))
        found = "images, but no folders of classes" if loose else "no folders of classes"
        raise DataError(f"{folder} has {found}; put the images of each class into a folder of their own: CLASS/*.png")
    names: list[str] = []
    sizes: list[int] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        files = _files(folder / name, ancestors=(os.path.realpath(folder),))
        if not files:
            raise DataError(
                f"the class {folder / name} has no images ({' '.join(EXTENSIONS)}), but every class needs some; add "
                "them, or remove the folder"
            )
        names += [os.path.relpath(path, folder) for path, _ in files]
        sizes += [size for _, size in files]
        labels += [label] * len(files)
    return Listing(folder, classes, tuple(names), np.array(sizes, np.int64), np.array(labels, np.int64))


def require_same_classes(train: Listing, other: Listing) -> None:
    """Checks that test or validation images have the classes that are trained.

    Raises:
        DataError: names a class that only one of the two has.
    """
    for one, two in ((train, other), (other, train)):
        if missing := sorted(set(one.classes) - set(two.classes)):
            raise DataError(
                f"{one.root} has the class {missing[0]}, but {two.root} has no folder of that name; both need images "
                "of the same classes"
            )


def _files(folder: Path, ancestors: tuple[str, ...]) -> list[tuple[str, int]]:
    """Lists paths and bytes of the images in a folder and those below it, sorted by path."""
    real = os.path.realpath(folder)
    if real in ancestors:
        raise DataError(f"{folder} is a link that leads back to {real}, so it would never end; remove the link")
    found: list[tuple[str, int]] = []
    for entry in _entries(folder):
        if entry.is_dir():
            found += _files(Path(entry.path), (*ancestors, real))
        elif _is_image(entry):
            try:
                facts = entry.stat()
            except OSError as error:
                raise DataError(
                    f"{entry.path} cannot be opened ({error.strerror}): a broken link, or a file without permission; "
                    "repair or remove it"
                ) from error
            if not stat.S_ISREG(facts.st_mode):  # reading a pipe or a device may never end
                raise DataError(f"{entry.path} is named like an image, but is no regular file; remove it")
            found.append((entry.path, facts.st_size))
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be opened ({error.strerror}); give the path of a folder with images"
        ) from error


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(EXTENSIONS)
