"""A data set from what the user typed."""

from __future__ import annotations

import difflib

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.sources.source import DEFAULT_DATA, SOURCES
from kdzero_gp.data.sources.split import LabelForm, SplitRules
from kdzero_gp.errors import DataError
from kdzero_gp.untrusted import user_path


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
        spec: one of the ways to name a source (`kdzero_gp.data.sources.source.SOURCES`), each told in the file that
            declares it: "digits"; "cifar10" or "cifar100"; "npz:FILE" or "FILE.npz"; "folder:PATH" or "imagenet:PATH".
        val_fraction: share of the training images for validation; None means what is usual for the source. `digits` has
            its fixed split instead.
        test_fraction: share of the images for testing, where a set brings no test images; None likewise.
        limit: use only this many training images: the first, or of folders equally many of each class. Validation
            images are taken from them; of `digits`, the 400 stay.
        seed: of the splits; not the run's seed, so that runs with different seeds share one test split.
        labels: the form that the labels must have; that images have several classes is told by archives alone.

    Raises:
        DataError: unknown name, or data that cannot be used.
    """
    for source, load in SOURCES.values():
        place = source.place_in(spec)
        if place is None:
            continue
        if labels not in source.labels:
            raise DataError(
                f"{spec} has one class for each image, but --task multilabel needs for each class a 0 or a 1: give "
                "npz:FILE with x (N, H, W, C) and y (N, K), written by np.savez"
            )
        val = source.val_fraction if val_fraction is None else val_fraction
        test = source.test_fraction if test_fraction is None else test_fraction
        return load(source, place, SplitRules(val, test, limit, seed, labels))
    raise DataError(f"unknown data set '{spec}'.{_hint(spec)} Known: {', '.join(_known())}")


def _known() -> list[str]:
    """Gives all ways to name a source, the default first."""
    ways = [way for source, _ in SOURCES.values() for way in source.ways]
    return sorted(ways, key=lambda way: way != DEFAULT_DATA)


def _hint(spec: str) -> str:
    if user_path(spec).is_dir():
        return f" It is the path of a folder: write folder:{spec}."
    if user_path(spec).exists():
        return " It is the path of something that exists, but not of an .npz file: write x and y with np.savez."
    close = difflib.get_close_matches(spec, [way for way in _known() if way.isalnum()], n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
