"""Targets of every place, for methods that were designed for dense tasks, in any task's form.

Where targets are one class for each image, a dense method has its image form, which is this project's: the label stands
everywhere, and the one box is the whole image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def label_map(targets: Tensor, size: tuple[int, int]) -> Tensor:
    """Gives the class of every place of a map, (N, H, W) int64.

    Args:
        targets: (N,) int64, one class for each image; or (N, H', W') int64, which is brought to the map's size by the
            nearest place.
        size: (H, W).
    """
    if targets.dim() == 1:
        return targets[:, None, None].expand(-1, *size)
    if targets.shape[1:] == size:
        return targets
    # float64 holds every class exactly
    return F.interpolate(targets[:, None].double(), size, mode="nearest")[:, 0].to(targets.dtype)


def whole_image(targets: Tensor) -> list[Tensor]:
    """Gives one box for each image that has a class and no boxes: (1, 4) of left, top, right, bottom as shares, 0 to
    1.
    """
    return [torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=targets.device) for _ in targets]
