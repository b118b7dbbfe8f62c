"""RandAugment and random erasing, drawn once for each image and view, so that teacher and student see one image.

Cubuk et al., RandAugment: Practical automated data augmentation with a reduced search space, NeurIPS 2020: two of
fourteen operations at magnitude 9 of 30. Zhong et al., Random Erasing Data Augmentation, AAAI 2020: a quarter of the
images loses a rectangle. These are DeiT's settings (Touvron et al., ICML 2021), of torchvision's operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ROUNDS = 2
LEVELS, LEVEL = 31, 9
ERASED = 0.25
AREA = (0.02, 1 / 3)
RATIO = (0.3, 3.3)

Operation = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class Strong:
    """What one view does to each of N images.

    Attributes:
        operation: (N, 2) int64, places in `OPERATIONS`; negative ~place stands for the opposite direction.
        hole: (N, 4) float32, what is erased as shares of height and width: top, bottom, left, right; equal where
            nothing is.
    """

    operation: Tensor
    hole: Tensor

    @classmethod
    def drawn(cls, key: tuple[int, ...], images: int) -> Strong:
        """Makes the draws of one view.

        Args:
            key: words of 32 bits that the draws depend on.
            images: N.
        """
        # RandomState's stream is frozen by numpy's compatibility policy; those of torch and of Generator are not.
        random = np.random.RandomState(key)
        operation = random.randint(0, len(OPERATIONS), (images, ROUNDS))
        operation = np.where(random.randint(0, 2, (images, ROUNDS)) == 0, operation, ~operation)
        area = random.uniform(*AREA, images) * (random.uniform(0, 1, images) < ERASED)
        ratio = np.exp(random.uniform(math.log(RATIO[0]), math.log(RATIO[1]), images))
        height, width = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
        top, left = random.uniform(0, 1, (2, images)) * (1 - np.stack([height, width]))
        hole = np.stack([top, top + height, left, left + width], axis=1).astype(np.float32)
        return cls(torch.from_numpy(operation.astype(np.int64)), torch.from_numpy(hole))

    def to(self, device: torch.device) -> Strong:
        """Gives the same draws, erasing on `device`; operations stay on the host, which chooses what to run."""
        return Strong(self.operation, self.hole.to(device))

    def take(self, numbers: Tensor) -> Strong:
        """Takes the draws of some images, (B,) int64."""
        return Strong(self.operation[numbers.to(self.operation.device)], self.hole.index_select(0, numbers))


def rand_augment(images: Tensor, draws: Strong) -> Tensor:
    """Applies both rounds of operations to images (B, C, H, W) uint8, C 1 or 3; a group of equal ones at a time."""
    for round_ in range(ROUNDS):
        chosen = draws.operation[:, round_]
        result = images.clone()
        for code in chosen.unique().tolist():
            where = torch.nonzero(chosen == code).view(-1).to(images.device)
            sign = 1.0 if code >= 0 else -1.0
            operation = OPERATIONS[code if code >= 0 else ~code]
            result.index_copy_(0, where, operation(images.index_select(0, where).contiguous(), sign))
        images = result
    return images


def erase(images: Tensor, draws: Strong) -> Tensor:
    """Sets the holes of normalised images (B, C, H, W) to 0, the mean of all images."""
    height, width = images.shape[2:]
    rows = (torch.arange(height, device=images.device) + 0.5) / height
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    top, bottom, left, right = (edge.view(-1, 1) for edge in draws.hole.unbind(1))
    tall, wide = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return images.masked_fill((tall.unsqueeze(2) & wide.unsqueeze(1)).unsqueeze(1), 0.0)


def _level(none: float, most: float) -> float:
    """Gives the magnitude at this level between none and most, rounded as torchvision rounds it."""
    return float(torch.linspace(none, most, LEVELS)[LEVEL])


def _identity(images: Tensor, sign: float) -> Tensor:
    return images


def _shear(images: Tensor, x: float, y: float) -> Tensor:
    """Shears an image about its corner by shares of a side."""
    from torchvision.transforms.v2 import functional

    angles = [math.degrees(math.atan(share)) for share in (x, y)]
    moved: Tensor = functional.affine(images, angle=0.0, translate=[0, 0], scale=1.0, shear=angles, center=[0, 0])
    return moved


def _translate(images: Tensor, x: float, y: float) -> Tensor:
    """Translates an image along each axis by the magnitude times `x` and `y`."""
    from torchvision.transforms.v2 import functional

    offset = [int(sign * _level(0, 150 / 331 * size)) for sign, size in ((x, images.shape[3]), (y, images.shape[2]))]
    moved: Tensor = functional.affine(images, angle=0.0, translate=offset, scale=1.0, shear=[0.0, 0.0])
    return moved


def _function(name: str, argument: Callable[[float], float] | None = None) -> Operation:
    """Finds torchvision's function of a name, with the argument that belongs to a sign."""

    def operation(images: Tensor, sign: float) -> Tensor:
        from torchvision.transforms.v2 import functional

        function = getattr(functional, name)
        changed: Tensor = function(images) if argument is None else function(images, argument(sign))
        return changed

    return operation


OPERATIONS: tuple[Operation, ...] = (
    _identity,
    lambda images, sign: _shear(images, sign * _level(0, 0.3), 0.0),
    lambda images, sign: _shear(images, 0.0, sign * _level(0, 0.3)),
    lambda images, sign: _translate(images, sign, 0.0),
    lambda images, sign: _translate(images, 0.0, sign),
    _function("rotate", lambda sign: sign * _level(0, 30)),
    _function("adjust_brightness", lambda sign: 1 + sign * _level(0, 0.9)),
    _function("adjust_saturation", lambda sign: 1 + sign * _level(0, 0.9)),
    _function("adjust_contrast", lambda sign: 1 + sign * _level(0, 0.9)),
    _function("adjust_sharpness", lambda sign: 1 + sign * _level(0, 0.9)),
    _function("posterize", lambda sign: round(8 - 4 * LEVEL / (LEVELS - 1))),
    _function("solarize", lambda sign: 255 * _level(1, 0)),
    _function("autocontrast"),
    _function("equalize"),
)
"""In torchvision's order and with its ranges; the sign is that of the direction, where an operation has one."""
