"""Data sets by name, split and checked."""

from kdzero_gp.data.augment import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.batches import ImageBatches
from kdzero_gp.data.dataset import Dataset, Split
from kdzero_gp.data.load import load_dataset

__all__ = ["NO_AUGMENTATION", "Augmentation", "Dataset", "ImageBatches", "Split", "load_dataset"]
