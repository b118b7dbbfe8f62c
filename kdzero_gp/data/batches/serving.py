"""What serves the images of any split, and the choice of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from kdzero_gp.data.augment.augmentation import NO_AUGMENTATION, Augmentation
from kdzero_gp.data.batches.in_memory import ImageBatches
from kdzero_gp.data.batches.loader import Request
from kdzero_gp.data.batches.streamed import StreamedBatches
from kdzero_gp.data.dataset import Dataset, Split


class Batches(Protocol):
    """Batches of normalised images by their numbers and view, the same bits every time."""

    augmentation: Augmentation
    device: torch.device
    pixels: int
    """Pixels of all images together, whatever their channels."""
    on_host: bool
    """Whether images are asked for by numbers on the host, which spares a GPU the wait for them."""

    def __len__(self) -> int: ...

    def __call__(self, numbers: Tensor, view: int | None = None) -> Tensor:
        """Gives the images numbered `numbers`, (B,) int64 on the device, as (B, C, H, W) float32."""
        ...

    def follow(self, requests: Iterable[Request]) -> None:
        """Prepares for what will be asked for next, which changes the time it takes and nothing else."""
        ...


def image_batches(
    data: Dataset,
    split: Split,
    augmentation: Augmentation = NO_AUGMENTATION,
    *,
    device: torch.device | str = "cpu",
    channels_last: bool = False,
) -> Batches:
    """Serves files by `StreamedBatches`, and what is in memory by `ImageBatches`.

    Raises:
        ConfigError: an augmentation that these images cannot have.
    """
    serve = StreamedBatches if split.streamed else ImageBatches
    return serve(data, split, augmentation, device=device, channels_last=channels_last)
