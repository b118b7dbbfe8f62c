"""A labelled image data set, split in three: kept in memory as integers, or decoded from files when it is used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from kdzero_gp.data.sources.files import ImageFiles


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: (N, C, H, W) uint8; of a streamed split files that give such a tensor for a slice of them.
        labels: (N,) int64, each in 0 … num_classes - 1, or (N, K) float32 of 0 and 1, see `kdzero_gp.data.LabelForm`.
    """

    images: Tensor | ImageFiles
    labels: Tensor

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    @property
    def streamed(self) -> bool:
        """Whether the images are decoded from files when they are used."""
        return isinstance(self.images, ImageFiles)

    @property
    def files(self) -> ImageFiles:
        """The images of a streamed split.

        Raises:
            TypeError: they are in memory.
        """
        if not isinstance(self.images, ImageFiles):
            raise TypeError("a tensor is served by ImageBatches; take `image_batches`, which chooses")
        return self.images

    @property
    def pixels(self) -> Tensor:
        """The images of a split in memory, (N, C, H, W) uint8.

        Raises:
            TypeError: they are files.
        """
        if isinstance(self.images, ImageFiles):
            raise TypeError("files are served by StreamedBatches; take `image_batches`, which chooses")
        return self.images

    @property
    def resized(self) -> bool:
        """Whether the images have sizes of their own, which decoding brings to one."""
        return self.streamed and self.files.decoder.resize

    def to(self, device: torch.device | str) -> Split:
        """Moves the tensors of the split to `device`; files stay files."""
        return Split(self.files if self.streamed else self.pixels.to(device), self.labels.to(device))

    def joined(self, other: Split) -> Split:
        """Appends the images of another split of one source."""
        labels = torch.cat([self.labels, other.labels])
        if self.streamed:
            return Split(self.files.joined(other.files), labels)
        return Split(torch.cat([self.pixels, other.pixels]), labels)

    def add_to(self, digest: hashlib._Hash) -> None:
        """Adds all that training or evaluation can see; of files their names and sizes."""
        if self.streamed:
            digest.update(self.files.digest())
        for tensor in (self.labels,) if self.streamed else (self.pixels, self.labels):
            digest.update(repr((tuple(tensor.shape), str(tensor.dtype))).encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test split of one data set, and how its pixels are normalised.

    The validation split is taken from the training data; the test split is for the final table alone.

    Attributes:
        name: what the user is shown.
        num_classes: K; every class occurs in `train`.
        mean, std: per channel, of the pixels divided by `scale`: counted over `train`, or the published constants.
        scale: the pixel value that stands for 1.0 (255 for photographs, 16 for digits).
        teacher: images that a teacher is trained on, where it has seen more than its student will; None: `train`.
    """

    name: str
    num_classes: int
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    teacher: Split | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return int(channels), int(height), int(width)

    @property
    def streamed(self) -> bool:
        """Whether images are decoded from files when they are used: then nothing is kept of the training split."""
        return self.train.streamed

    def normalise(self, images: Tensor) -> Tensor:
        """Computes `(images / scale - mean) / std` per channel.

        Args:
            images: (N, C, H, W) uint8, on any device.

        Returns:
            (N, C, H, W) float32 on the same device.
        """
        factor, offset = (constant.to(images.device).view(1, -1, 1, 1) for constant in self.normalisation())
        return torch.addcmul(offset, images.float(), factor)

    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Gives factor and offset per channel, (C,) float32 each, of `normalise`: `offset + pixel * factor`."""
        factor = torch.tensor([1.0 / (self.scale * s) for s in self.std])
        offset = torch.tensor([-m / s for m, s in zip(self.mean, self.std, strict=True)])
        return factor, offset

    def to(self, device: torch.device | str) -> Dataset:
        """Moves all three splits to `device`."""
        teacher = None if self.teacher is None else self.teacher.to(device)
        splits = {name: getattr(self, name).to(device) for name in ("train", "val", "test")}
        return replace(self, **splits, teacher=teacher)

    def for_teacher(self) -> Dataset:
        """Gives the data set that a teacher is trained on, normalised as the student's."""
        return self if self.teacher is None else replace(self, train=self.teacher, teacher=None)

    def fingerprint(self) -> str:
        """Gives 16 hex digits of a SHA-256 over everything that training or evaluation can see.

        The name is left out: two files with the same content are the same data. Of streamed images the files' names
        and sizes stand for the content.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        constants = (self.num_classes, self.mean, self.std, self.scale)
        digest.update(repr(constants).encode())
        for split in (self.train, self.val, self.test, self.teacher):
            if split is not None:
                split.add_to(digest)
        return digest.hexdigest()[:16]


def channel_statistics(images: Tensor, scale: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Counts mean and (population) standard deviation of each channel of `images / scale`.

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
