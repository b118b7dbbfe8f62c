"""From pixels on the device to the images that a network sees: cut out, mirrored, changed, normalised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.data.augment.augmentation import Augmentation, Shifts
from kdzero_gp.data.augment.strong import Strong, erase, rand_augment
from kdzero_gp.data.dataset import Dataset
from kdzero_gp.errors import ConfigError

KEPT = 16
"""Views whose draws are kept: a run's usual eight, so that each is drawn once."""


class Views:
    """Makes the views of one split, without a Python step per image. The same numbers and view give the same bits.

    Args:
        data: tells how pixels are normalised.
        shape: (N, C, H, W) of the split.
        augmentation: what the views are.
        device: where images are made.
        channels_last: memory layout of what is served.
    """

    def __init__(
        self,
        data: Dataset,
        shape: tuple[int, int, int, int],
        augmentation: Augmentation,
        *,
        device: torch.device,
        channels_last: bool,
    ) -> None:
        self._count, self._channels, self._height, self._width = shape
        if augmentation.strong and self._channels not in (1, 3):
            raise ConfigError(
                f"--augment strong changes colours, but the images of {data.name} have {self._channels} channels "
                "instead of 1 or 3; use crop-flip"
            )
        self._augmentation = augmentation
        self._device = device
        self._by_pixel = channels_last
        self._shifts: dict[int, Shifts] = {}
        self._strong: dict[int, Strong] = {}
        factor, offset = (constant.to(device) for constant in data.normalisation())
        # One constant per channel, repeated for a whole image: a row of its memory is then one vectorised pass.
        self._factor, self._offset = (constant.repeat(self._height * self._width) for constant in (factor, offset))
        border = augmentation.padding
        self._rows = torch.arange(self._height, device=device).view(1, -1, 1) * (self._width + 2 * border)
        self._columns = torch.arange(self._width, device=device)

    def bordered(self, pixels: Tensor) -> Tensor:
        """Gives pixels (M, H, W, C) the border that crops need."""
        border = self._augmentation.padding
        return F.pad(pixels, (0, 0, border, border, border, border)).contiguous() if border else pixels.contiguous()

    def __call__(self, bordered: Tensor, rows: Tensor, numbers: Tensor, view: int | None) -> Tensor:
        """Gives the images in `rows` (B,) int64 of `bordered`, as (B, C, H, W) float32.

        Args:
            numbers: (B,) int64, of the same images in the split: what is drawn depends on them. On the device.
            view: of the augmentation; None gives the images as they are.
        """
        pixels = (
            self._cut(bordered, rows, numbers, view) if self._augmentation.moves else bordered.index_select(0, rows)
        )
        strong = self._strong_of(view).take(numbers) if view is not None and self._augmentation.strong else None
        if strong is not None:
            shaped = pixels.view(len(rows), self._height, self._width, self._channels).permute(0, 3, 1, 2)
            pixels = rand_augment(shaped, strong).permute(0, 2, 3, 1).contiguous()
        images = torch.addcmul(self._offset, pixels.view(len(rows), -1).float(), self._factor)
        if self._channels == 1:  # both layouts are one, and the ordinary strides name it
            images = images.view(-1, 1, self._height, self._width)
        else:
            images = images.view(-1, self._height, self._width, self._channels).permute(0, 3, 1, 2)
            images = images if self._by_pixel else images.contiguous()
        return images if strong is None else erase(images, strong)

    def _cut(self, bordered: Tensor, rows: Tensor, numbers: Tensor, view: int | None) -> Tensor:
        """Gives the pixels (B·H·W, C) uint8 of one view: for each, the place in `bordered` that it comes from."""
        _, tall, wide, channels = bordered.shape
        border = self._augmentation.padding
        start = rows * (tall * wide)
        columns = self._columns.expand(len(rows), -1)
        if view is None:
            start = start + (border * wide + border)
        else:
            shifts = self._shifts_of(view)
            start = start + shifts.top.index_select(0, numbers) * wide + shifts.left.index_select(0, numbers)
            mirrored = shifts.flip.index_select(0, numbers).unsqueeze(1)
            columns = torch.where(mirrored, self._width - 1 - columns, columns)
        places = start.view(-1, 1, 1) + self._rows + columns.unsqueeze(1)
        return bordered.view(-1, channels).index_select(0, places.view(-1))

    def _shifts_of(self, view: int) -> Shifts:
        if view not in self._shifts:
            _make_room(self._shifts)
            drawn = self._augmentation.shifts(view, self._count)
            self._shifts[view] = Shifts(*(t.to(self._device) for t in (drawn.top, drawn.left, drawn.flip)))
        return self._shifts[view]

    def _strong_of(self, view: int) -> Strong:
        if view not in self._strong:
            _make_room(self._strong)
            self._strong[view] = Strong.drawn(self._augmentation.key(view), self._count).to(self._device)
        return self._strong[view]


def _make_room(kept: dict[int, Shifts] | dict[int, Strong]) -> None:
    """Forgets the oldest view when there are too many."""
    if len(kept) >= KEPT:
        kept.pop(next(iter(kept)))
