"""Data sets by name, split and checked."""

from kdzero_gp.data.augment.augmentation import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.augment.named import named_augmentation
from kdzero_gp.data.batches.in_memory import ImageBatches
from kdzero_gp.data.batches.serving import Batches, image_batches
from kdzero_gp.data.batches.streamed import StreamedBatches
from kdzero_gp.data.dataset import Dataset, LabelForm, Split
from kdzero_gp.data.sources.load import load_dataset

__all__ = [
    "NO_AUGMENTATION",
    "Augmentation",
    "Batches",
    "Dataset",
    "ImageBatches",
    "LabelForm",
    "Split",
    "StreamedBatches",
    "image_batches",
    "load_dataset",
    "named_augmentation",
]
