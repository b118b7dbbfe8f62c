"""Data sets by name, split and checked."""

from kdzero_gp.data.augment import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.batches import ImageBatches
from kdzero_gp.data.dataset import Dataset, Split
from kdzero_gp.data.load import load_dataset
from kdzero_gp.data.named_augmentation import named_augmentation
from kdzero_gp.data.serving import Batches, image_batches
from kdzero_gp.data.streamed import StreamedBatches

__all__ = [
    "NO_AUGMENTATION",
    "Augmentation",
    "Batches",
    "Dataset",
    "ImageBatches",
    "Split",
    "StreamedBatches",
    "image_batches",
    "load_dataset",
    "named_augmentation",
]
