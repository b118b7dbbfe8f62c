"""A data set from what the user typed."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from kdzero_gp.data.dataset import Dataset, LabelForm
from kdzero_gp.data.sources.cifar import SOURCES, load_cifar
from kdzero_gp.data.sources.digits import load_digits
from kdzero_gp.data.sources.folder import load_folder
from kdzero_gp.data.sources.npz import load_npz
from kdzero_gp.data.sources.source import FOLDER, IMAGENET, NPZ, Source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError

FOLDERS = {"folder": FOLDER, "imagenet": IMAGENET}
KNOWN = ("digits", *SOURCES, "npz:FILE", "FILE.npz", "folder:PATH", "imagenet:PATH")
SMALLEST_SIDE, LARGEST_SIDE = 8, 2048


def load_dataset(
    spec: str,
    *,
    val_fraction: float | None = None,
    test_fraction: float | None = None,
    limit: int | None = None,
    seed: int = 0,
    labels: LabelForm = "class",
) -> Dataset:
    """Load the data set that `spec` names.

    Args:
        spec: "digits"; "cifar10" or "cifar100" (`kdzero_gp.data.sources.cifar`); "npz:FILE" or "FILE.npz"
            (`kdzero_gp.data.sources.npz`); "folder:PATH" or "imagenet:PATH" (`kdzero_gp.data.sources.folder`), with
            "@SIZE" behind the path if images are to have another height and width than 224: "folder:PATH@96".
        val_fraction: share of the training images for validation; None means what is usual for the data set, which
            `kdzero_gp.data.sources.source` tells. `digits` has its fixed split instead.
        test_fraction: share of the images for testing, where a set brings no test images; None likewise.
        limit: use only this many training images: the first, or of folders equally many of each class. Validation
            images are taken from them; of `digits`, the 400 stay.
        seed: of the splits; not the run's seed, so that runs with different seeds share one test split.
        labels: the form that the labels must have; that images have several classes is told by archives alone.

    Raises:
        DataError: unknown name, or data that cannot be used.
    """
    archive = spec.startswith("npz:") or spec.endswith(".npz")
    if labels == "multi_hot" and not archive:
        raise DataError(
            f"{spec} has one class for each image, but --task multilabel needs for each class a 0 or a 1: give "
            "npz:FILE with x (N, H, W, C) and y (N, K), written by np.savez"
        )
    if spec == "digits":
        return load_digits(limit=limit)

    def rules(source: Source) -> SplitRules:
        return SplitRules(
            source.val_fraction if val_fraction is None else val_fraction,
            source.test_fraction if test_fraction is None else test_fraction,
            limit,
            seed,
        )

    if spec in SOURCES:
        return load_cifar(spec, rules(SOURCES[spec]))
    if archive:
        return load_npz(spec.removeprefix("npz:"), rules(NPZ), labels)
    kind, _, path = spec.partition(":")
    if kind in FOLDERS and path:
        folder, side = _sized(path)
        return load_folder(folder, FOLDERS[kind], rules(FOLDERS[kind]), side=side)
    names = ("digits", *SOURCES)
    close = difflib.get_close_matches(spec, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    if Path(spec).expanduser().is_dir():
        hint = f" It is the path of a folder: write folder:{spec}."
    elif Path(spec).expanduser().exists():
        hint = " It is the path of something that exists, but not of an .npz file: write x and y with np.savez."
    raise DataError(f"Unknown data set '{spec}'.{hint} Known: {', '.join(KNOWN)}")


def _sized(path: str) -> tuple[str, int | None]:
    """The folder and the size behind it, if there is one: a folder that exists under the whole name goes first."""
    match = re.fullmatch(r"(.+)@(\d{1,9})", path)
    if match is None or Path(path).expanduser().exists():
        return path, None
    side = int(match[2])
    if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise DataError(
            f"The size of the images of {match[1]} is {side} pixels, but must be {SMALLEST_SIDE} … {LARGEST_SIDE}"
        )
    return match[1], side
