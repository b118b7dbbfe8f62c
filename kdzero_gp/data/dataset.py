"""A labelled image data set, split in three: kept in memory as integers, or decoded from files when it is used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from kdzero_gp.data.sources.files import ImageFiles

LabelForm = Literal["class", "multi_hot"]
"""The class of each image, (N,) int64; or for each image a 1 for every class that it has, (N, K) float32 of 0 and 1."""


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: (N, C, H, W) uint8; of a streamed split files that give such a tensor for a slice of them.
        labels: (N,) int64, each in 0 … num_classes - 1, or (N, K) float32 of 0 and 1, see `LabelForm`.
    """

    images: Tensor | ImageFiles
    labels: Tensor

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    def to(self, device: torch.device | str) -> Split:
        """The same split with its tensors on `device`; files stay files."""
        images = self.images if isinstance(self.images, ImageFiles) else self.images.to(device)
        return Split(images, self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test split of one data set, and how its pixels are normalised.

    The validation split is taken from the training data; the test split is for the final table alone.

    Attributes:
        name: what the user is shown.
        num_classes: K; every class occurs in `train`.
        mean, std: per channel, of the pixels divided by `scale`: counted over `train`, or the published constants.
        scale: the pixel value that stands for 1.0 (255 for photographs, 16 for digits).
    """

    name: str
    num_classes: int
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return int(channels), int(height), int(width)

    @property
    def streamed(self) -> bool:
        """Whether images are decoded from files when they are used: then nothing is kept of the training split."""
        return isinstance(self.train.images, ImageFiles)

    def normalise(self, images: Tensor) -> Tensor:
        """`(images / scale - mean) / std` per channel.

        Args:
            images: (N, C, H, W) uint8, on any device.

        Returns:
            (N, C, H, W) float32 on the same device.
        """
        factor, offset = (constant.to(images.device).view(1, -1, 1, 1) for constant in self.normalisation())
        return torch.addcmul(offset, images.float(), factor)

    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Factor and offset per channel, (C,) float32 each: `offset + pixel * factor` is what `normalise` gives."""
        factor = torch.tensor([1.0 / (self.scale * s) for s in self.std])
        offset = torch.tensor([-m / s for m, s in zip(self.mean, self.std, strict=True)])
        return factor, offset

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with all three splits on `device`."""
        return replace(self, train=self.train.to(device), val=self.val.to(device), test=self.test.to(device))

    def fingerprint(self) -> str:
        """16 hex digits of a SHA-256 over everything that training or evaluation can see.

        The name is left out: two files with the same content are the same data. Of streamed images the files' names
        and sizes stand for the content.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        constants = (self.num_classes, self.mean, self.std, self.scale)
        digest.update(repr(constants).encode())
        for split in (self.train, self.val, self.test):
            if isinstance(split.images, ImageFiles):
                digest.update(split.images.digest())
            tensors = (split.labels,) if isinstance(split.images, ImageFiles) else (split.images, split.labels)
            for tensor in tensors:
                digest.update(repr((tuple(tensor.shape), str(tensor.dtype))).encode())
                digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def channel_statistics(images: Tensor, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation of each channel of `images / scale`.

    Counted over the 256 pixel values, so the result is exact to float64 and needs no float copy of the images.
    A channel without any variation gets a standard deviation of 1, so that it normalises to zeros.

    Args:
        images: (N, C, H, W) uint8.
        scale: the pixel value that stands for 1.0.

    Returns:
        mean and std, each with C entries.
    """
    values = torch.arange(256, dtype=torch.float64) / scale
    means, stds = [], []
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].flatten(), minlength=256).double()
        share = counts / counts.sum()
        mean = float((share * values).sum())
        variance = float((share * (values - mean) ** 2).sum())
        means.append(mean)
        stds.append(variance**0.5 if variance > 0 else 1.0)
    return tuple(means), tuple(stds)
