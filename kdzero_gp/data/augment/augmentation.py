"""Augmentation as a set of views that can be replayed, so that results computed from a view can be kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdzero_gp.data.augment.crop_box import Crop
from kdzero_gp.errors import ConfigError

LARGEST_SEED = 2**63


@dataclass(frozen=True)
class Shifts:
    """How one view changes each of N images.

    Attributes:
        top, left: (N,) int64, where the crop begins in the padded image, 0 … 2·padding.
        flip: (N,) bool, whether the crop is mirrored left to right afterwards.
    """

    top: Tensor
    left: Tensor
    flip: Tensor


@dataclass(frozen=True)
class Augmentation:
    """A crop at a random place of the image with a border of black pixels, and a mirroring of every second image.

    The usual augmentation of CIFAR is `Augmentation(padding=4, flip=True)`: torchvision's `RandomCrop(32, padding=4)`
    and `RandomHorizontalFlip()` in RepDistiller (https://github.com/HobbitLong/RepDistiller). But the offsets are
    drawn once: epoch e sees view e mod `views`, and view v is the same for every candidate, process and run. So a
    teacher's outputs can be computed once for each view and kept, exactly. Without padding and flip there is nothing
    to draw, and one view.

    Attributes:
        padding: pixels of value 0 added on all sides before the crop of the original size.
        flip: whether every image is mirrored with probability 1/2.
        views: V, how many times each image is drawn.
        seed: of the draws; not the run's, so that runs share what is kept.
        area: least and greatest share of the image that a random resized crop takes, as is usual on ImageNet; it is
            made when a file is decoded, so of streamed images alone.
        strong: whether RandAugment and random erasing come on top, see `kdzero_gp.data.augment.strong`.

    Raises:
        ConfigError: a value out of range.
    """

    padding: int = 0
    flip: bool = False
    views: int = 1
    seed: int = 0
    area: tuple[float, float] | None = None
    strong: bool = False

    def __post_init__(self) -> None:
        rules = (
            ("padding", self.padding >= 0, "0 or more pixels"),
            ("views", self.views >= 1, "at least 1"),
            ("views", self.views == 1 or self.active, "1 without padding and flip, which make views differ"),
            ("area", self.area is None or 0 < self.area[0] <= self.area[1] <= 1, "two ascending shares in (0, 1]"),
            ("area", self.area is None or self.padding == 0, "None where there is a padding: one crop or the other"),
            ("seed", 0 <= self.seed < LARGEST_SEED, "0 … 2**63 - 1"),
        )
        for name, holds, rule in rules:
            if not holds:
                raise ConfigError(f"the augmentation's {name} is {getattr(self, name)}, but must be {rule}")

    @property
    def active(self) -> bool:
        """Whether any image is changed."""
        return self.moves or self.strong or self.area is not None

    @property
    def moves(self) -> bool:
        """Whether the augmentation moves pixels, by a crop with a border or by mirroring."""
        return self.padding > 0 or self.flip

    def key(self, view: int) -> tuple[int, ...]:
        """Lists words of 32 bits that the further draws of a view depend on."""
        return (self.seed & 0xFFFFFFFF, self.seed >> 32, view, 1)

    def crop(self, view: int, number: int) -> Crop | None:
        """Draws the random resized crop of image `number`; None where the augmentation has none."""
        return None if self.area is None else Crop((*self.key(view), number), self.area)

    def shifts(self, view: int, images: int) -> Shifts:
        """Draws view `view` for a training split of `images` images.

        Raises:
            ConfigError: there is no such view.
        """
        if not 0 <= view < self.views:
            raise ConfigError(
                f"the view is {view}, but must be 0 … {self.views - 1}; epoch e sees view e % {self.views}"
            )
        # RandomState's stream is frozen by numpy's compatibility policy; those of torch and of Generator are not.
        random = np.random.RandomState([self.seed & 0xFFFFFFFF, self.seed >> 32, view])
        top, left = random.randint(0, 2 * self.padding + 1, (2, images))
        flip = random.randint(0, 2, images).astype(bool) & self.flip
        return Shifts(torch.from_numpy(top), torch.from_numpy(left), torch.from_numpy(flip))


NO_AUGMENTATION = Augmentation()
