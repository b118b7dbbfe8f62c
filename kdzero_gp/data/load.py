"""A data set from what the user typed."""

from __future__ import annotations

import difflib
from pathlib import Path

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.digits import load_digits
from kdzero_gp.data.npz import load_npz
from kdzero_gp.errors import DataError

KNOWN = ("digits", "npz:FILE", "FILE.npz")


def load_dataset(
    spec: str,
    *,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    limit: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Load the data set that `spec` names.

    Args:
        spec: "digits", "npz:FILE" or "FILE.npz" (see `kdzero_gp.data.npz` for what such a file holds).
        val_fraction: share of the training images for validation. `digits` has its fixed split instead.
        test_fraction: share of the images for testing, where a file brings no test images.
        limit: use only the first `limit` training images. Of `digits`, the 400 validation images stay.
        seed: of the splits; not the run's seed, so that runs with different seeds share one test split.

    Raises:
        DataError: unknown name, or a file that cannot be used.
    """
    if spec == "digits":
        return load_digits(limit=limit)
    if spec.startswith("npz:") or spec.endswith(".npz"):
        path = spec.removeprefix("npz:")
        return load_npz(path, val_fraction=val_fraction, test_fraction=test_fraction, limit=limit, seed=seed)
    close = difflib.get_close_matches(spec, ["digits"], n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    if Path(spec).expanduser().exists():
        hint = " It is the path of something that exists, but not of an .npz file: write x and y with np.savez."
    raise DataError(f"Unknown data set '{spec}'.{hint} Known: {', '.join(KNOWN)}")
