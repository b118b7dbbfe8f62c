"""The memory layout of images, and the number of images of a forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from kdzero_gp.errors import TapError

LARGE = 16 * 16
"""Pixels from which channels-last is the faster layout.

One CPU core, training step with 64 images: resnet20 at 32x32 189 instead of 233 ms, cnn16 21 instead of 32; cnn2 at
8x8 1.84 instead of 1.77.
"""
PIXELS = 128 * 32 * 32
"""Of a chunk without gradient: resnet56 takes 144 ms for 64 images in chunks of 64 or 128, and 188 in those of 500."""
FEWEST, MOST = 16, 500
CUDA_CHUNK = 500

Found = TypeVar("Found")


def laid_out(images: Tensor, channels_last: bool) -> Tensor:
    """Lays images out in one of the two layouts, without a copy where they are.

    Networks are left alone: their maps follow the images, and weights in the ordinary layout cost nothing measurable.
    """
    return images.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def fitting_layout(image_shape: tuple[int, int, int], run: Callable[[bool], Found]) -> tuple[bool, Found]:
    """Chooses whether channels-last is used; returns it with the result of `run(channels_last)`.

    A network that views its maps as vectors runs in the ordinary layout alone.

    Raises:
        TapError: `run` fails in that one, too.
    """
    if image_shape[1] * image_shape[2] >= LARGE:
        try:
            return True, run(True)
        except TapError:
            pass
    return False, run(False)


def chunk_size(image_shape: tuple[int, int, int], device: torch.device) -> int:
    """Chooses the number of images of one forward pass without gradient."""
    if device.type == "cuda":
        return CUDA_CHUNK
    return min(max(PIXELS // (image_shape[1] * image_shape[2]), FEWEST), MOST)
