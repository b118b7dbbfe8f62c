"""Where a random resized crop lies: a function of the seed, the image's number and the view alone.

Szegedy et al., Going Deeper with Convolutions, CVPR 2015; the rule is torchvision's `RandomResizedCrop`, whose draws
come from torch's global random state and so cannot be had again for one image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ATTEMPTS = 10
RATIO = (3 / 4, 4 / 3)
"""Width through height of the crop, drawn evenly on a logarithmic scale."""


@dataclass(frozen=True)
class Box:
    """Part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Crop:
    """One crop to be drawn.

    Attributes:
        key: what the draw depends on: words of 32 bits of the seed, then the view and the image's number.
        area: least and greatest share of the image's area.
    """

    key: tuple[int, ...]
    area: tuple[float, float]

    def box(self, height: int, width: int) -> Box:
        """Draws the crop of an image of this size: the first of ten draws that fits, or else a central one."""
        random = np.random.RandomState(self.key)
        low, high = (math.log(ratio) for ratio in RATIO)
        for _ in range(ATTEMPTS):
            area = height * width * random.uniform(*self.area)
            ratio = math.exp(random.uniform(low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return Box(int(random.randint(height - h + 1)), int(random.randint(width - w + 1)), h, w)
        w, h = width, height
        if width / height < RATIO[0]:
            h = min(height, round(w / RATIO[0]))
        elif width / height > RATIO[1]:
            w = min(width, round(h * RATIO[1]))
        return Box((height - h) // 2, (width - w) // 2, h, w)
