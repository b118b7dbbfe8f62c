"""Batches of normalised images from files: decoded on the host, the rest on the device."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdzero_gp.data.augment.augmentation import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.augment.views import Views
from kdzero_gp.data.batches.loader import Loader, Request
from kdzero_gp.data.dataset import Dataset, Split
from kdzero_gp.data.sources.files import decoders


class StreamedBatches:
    """Serves the images of a split of files as `ImageBatches` does one in memory, with the same bits.

    Threads decode a file and bring it to its size, by a crop of its own for every view if the augmentation says so.
    Borders, mirroring, colours and normalisation are the device's. The same numbers and view give the same bits,
    whatever the number of threads and whatever was asked for before.

    Args:
        data: tells how pixels are normalised.
        split: the files.
        augmentation: what the views are.
        device: where the images are served.
        channels_last: memory layout of what is served.
        threads: that decode; None means `kdzero_gp.data.sources.files.decoders()`.
    """

    on_host = True

    def __init__(
        self,
        data: Dataset,
        split: Split,
        augmentation: Augmentation = NO_AUGMENTATION,
        *,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
        threads: int | None = None,
    ) -> None:
        self.augmentation = augmentation
        self.device = torch.device(device)
        self._files = split.files
        count, _, height, width = self._files.shape
        self._count, self.pixels = count, count * height * width
        self._views = Views(data, self._files.shape, augmentation, device=self.device, channels_last=channels_last)
        self._loader = Loader(
            self._decoded,
            self._files.decoded_shape,
            threads=threads or decoders(),
            pinned=self.device.type == "cuda",
        )

    def __len__(self) -> int:
        return self._count

    def __call__(self, numbers: Tensor, view: int | None = None) -> Tensor:
        """Gives the images numbered `numbers`, (B,) int64, best on the host, as (B, C, H, W) float32 on the device.

        Args:
            view: of the augmentation; None gives the images as they are: resized, and their centre cut out.

        Raises:
            DataError: a file that is no image.
        """
        pixels = self._loader(numbers, view).to(self.device, non_blocking=True)
        there = numbers.to(self.device, non_blocking=True)
        return self._views(self._views.bordered(pixels), torch.arange(len(pixels), device=self.device), there, view)

    def follow(self, requests: Iterable[Request]) -> None:
        """Begins to decode what will be asked for, in this order; anything else may be asked for in between."""
        self._loader.follow(requests)

    def _decoded(self, number: int, view: int | None) -> NDArray[np.uint8]:
        return self._files.decode(number, None if view is None else self.augmentation.crop(view, number))
