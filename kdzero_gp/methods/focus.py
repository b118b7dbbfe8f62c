"""Where a map is strong: softmax attention over its positions and over its channels."""

from __future__ import annotations

from torch import Tensor


def strong_positions(maps: Tensor, temperature: float) -> Tensor:
    """A_s = H·W · softmax over positions of (mean over channels of |x|) / T: (N, C, H, W) to (N, H, W), mean 1."""
    images, _, height, width = maps.shape
    strength = maps.abs().mean(1).flatten(1) / temperature
    return (height * width * strength.softmax(1)).view(images, height, width)


def strong_channels(maps: Tensor, temperature: float) -> Tensor:
    """A_c = C · softmax over channels of (mean over positions of |x|) / T: (N, C, H, W) to (N, C), mean 1."""
    return maps.shape[1] * (maps.abs().mean((2, 3)) / temperature).softmax(1)
