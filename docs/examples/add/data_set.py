"""A kind of data set, for kdzero_gp/data/sources/: two files of one array each, in a folder."""

from pathlib import Path

import numpy as np

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.sources.arrays import checked
from kdzero_gp.data.sources.in_memory import in_memory
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError


@source(Source("npy:FOLDER"))
def load_npy(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Reads images.npy, (N, H, W, C) or (N, H, W) with pixels 0 … 255, and labels.npy, (N,), and splits them.

    Raises:
        DataError: a file is missing, damaged, or not what it should be.
    """
    folder = Path(place).expanduser()
    try:
        x, y = (np.load(folder / name, allow_pickle=False) for name in ("images.npy", "labels.npy"))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder} needs images.npy and labels.npy, written by np.save: {error}") from error
    arrays = checked(x, y, f"images.npy of {folder}", f"labels.npy of {folder}")
    return in_memory(folder.name, facts, arrays, None, rules, path=folder, test_path=folder)
