"""The images of a split as files that are decoded when they are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdzero_gp.data.augment.crop_box import Crop
from kdzero_gp.data.sources.decode import Decoder
from kdzero_gp.data.sources.image_folder import Listing
from kdzero_gp.errors import ConfigError

DECODERS_VARIABLE = "KDZERO_GP_DECODERS"
MOST_DECODERS = 16


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Stands for the tensor (N, C, H, W) uint8 of a split: it has its shape, and slices of it can be had.

    Attributes:
        listing: the files.
        decoder: brings each to (H, W, C).
    """

    listing: Listing
    decoder: Decoder

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return len(self), self.decoder.channels, self.decoder.height, self.decoder.width

    def __len__(self) -> int:
        return len(self.listing.names)

    def __getitem__(self, wanted: slice) -> Tensor:
        """Images in the order of the split, decoded now: (n, C, H, W) uint8.

        Raises:
            DataError: a file that is no image.
        """
        return self.read(range(*wanted.indices(len(self))))

    def read(self, numbers: Sequence[int]) -> Tensor:
        """Reads the images of these numbers, without augmentation, (n, C, H, W) uint8."""
        pixels = np.empty((len(numbers), *self.decoded_shape), np.uint8)

        def one(place: int) -> None:
            pixels[place] = self.decode(numbers[place])

        with ThreadPoolExecutor(decoders()) as pool:
            list(pool.map(one, range(len(numbers))))
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()

    def joined(self, other: ImageFiles) -> ImageFiles:
        """Appends the files of another split of one source."""
        return ImageFiles(self.listing.joined(other.listing), self.decoder)

    @property
    def decoded_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one decoded image."""
        return self.decoder.height, self.decoder.width, self.decoder.channels

    def decode(self, number: int, crop: Crop | None = None) -> NDArray[np.uint8]:
        """Decodes one image to (H, W, C); see `Decoder`."""
        return self.decoder(self.listing.root / self.listing.names[number], crop)

    def digest(self) -> bytes:
        """Digests the files' names and sizes and how they are decoded.

        Their contents are not read, which would take as long as an epoch; and their times are left out: a copy of the
        folder is the same data.
        """
        digest = hashlib.sha256(repr((self.shape, self.decoder)).encode())
        for name in self.listing.names:
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(self.listing.sizes.tobytes())
        return digest.digest()


def decoders() -> int:
    """Threads that decode images: `$KDZERO_GP_DECODERS`, or else one for each core that this process may use, up to 16.

    Raises:
        ConfigError: the variable is no whole number above 0.
    """
    text = os.environ.get(DECODERS_VARIABLE)
    if text is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, MOST_DECODERS)
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{DECODERS_VARIABLE} is '{text}', but must be a number of threads, 1 or more")
    return int(text)
