"""Training on all training images: the validation images go back to where they were taken from."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kdzero_gp.data import Dataset, Split
from kdzero_gp.data.sources.files import ImageFiles
from kdzero_gp.data.sources.image_folder import Listing


def on_all_images(data: Dataset) -> Dataset:
    """The data with the validation images behind the training images too, normalised as before."""
    labels = torch.cat([data.train.labels, data.val.labels])
    return replace(data, train=Split(_together(data.train.images, data.val.images), labels))


def _together(first: Tensor | ImageFiles, second: Tensor | ImageFiles) -> Tensor | ImageFiles:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.cat([first, second])
    if isinstance(first, ImageFiles) and isinstance(second, ImageFiles):
        a, b = first.listing, second.listing
        sizes, labels = np.concatenate([a.sizes, b.sizes]), np.concatenate([a.labels, b.labels])
        # a folder of validation images that the user set apart lies beside the training images'
        names = b.names if b.root == a.root else tuple(os.path.relpath(b.root / name, a.root) for name in b.names)
        return ImageFiles(Listing(a.root, a.classes, a.names + names, sizes, labels), first.decoder)
    raise AssertionError("training and validation images come from one source")
