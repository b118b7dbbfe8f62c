"""Data sets by name, split and checked."""

from kdzero_gp.data.dataset import Dataset, Split
from kdzero_gp.data.load import load_dataset

__all__ = ["Dataset", "Split", "load_dataset"]
