"""One image file as pixels of a fixed size, and every way a file can be unfit for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.data.augment.crop_box import Crop
from kdzero_gp.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
GREY = ("1", "L", "LA")
SHORT_SIDE = 256 / 224
"""Of an image, in units of the central square that is cut out of it: the usual evaluation on ImageNet."""

LONGEST = 8
"""Times the shorter side: what a longer image has beyond that is cut off first, or a strip of one pixel's height would
become a gigabyte."""


@dataclass(frozen=True)
class Header:
    """What a file says of its image before it is decoded: size in pixels and Pillow's mode."""

    height: int
    width: int
    mode: str


@dataclass(frozen=True)
class Decoder:
    """Brings images to (height, width, channels) uint8.

    Colours: grey images become three equal channels where three are wanted; palettes become their colours; an alpha
    channel is dropped; CMYK and the like become RGB. Rotations that EXIF asks for are not made, as in torchvision.

    Attributes:
        channels: 1 or 3.
        resize: whether images have sizes of their own: then the shorter side is brought to 256/224 of the wanted one
            (bilinear with antialiasing) and the centre is cut out. Otherwise all have the wanted size.
    """

    height: int
    width: int
    channels: int
    resize: bool

    def __call__(self, path: Path, crop: Crop | None = None) -> NDArray[np.uint8]:
        """Gives the pixels of a file, (H, W, C).

        Args:
            crop: a part of the image, brought to the wanted size, instead of its centre.

        Raises:
            DataError: names the file, what was found, the rule and the way out.
        """
        image = self._coloured(path)
        if crop is not None:
            image = self._cut(image, crop)
        elif self.resize:
            image = self._centre(image)
        elif image.size != (self.width, self.height):
            raise DataError(
                f"{path} is {image.height}x{image.width} (height x width), but the other images of its folder are "
                f"{self.height}x{self.width}; it was changed while it was in use: start again"
            )
        pixels = np.asarray(image)
        return pixels[..., None] if pixels.ndim == 2 else pixels

    def _coloured(self, path: Path) -> Image:
        with _opened(path) as image:
            # by way of RGBA a palette's transparency is dropped, too, and Pillow has nothing to warn of
            full = image.convert("RGBA") if image.mode in ("P", "PA") else image
            return full.convert("L" if self.channels == 1 else "RGB")

    def _cut(self, image: Image, crop: Crop) -> Image:
        from torchvision.transforms import functional

        box = crop.box(image.height, image.width)
        part: Image = functional.resized_crop(
            image, box.top, box.left, box.height, box.width, [self.height, self.width]
        )
        return part

    def _centre(self, image: Image) -> Image:
        from torchvision.transforms import functional

        longest = LONGEST * min(image.size)
        if max(image.size) > longest:
            image = functional.center_crop(image, [min(image.height, longest), min(image.width, longest)])
        shorter = functional.resize(image, round(min(self.height, self.width) * SHORT_SIDE))
        centre: Image = functional.center_crop(shorter, [self.height, self.width])
        return centre


def header(path: Path) -> Header:
    """Reads size and mode of a file, without its pixels.

    Raises:
        DataError: it is no image that can be used.
    """
    with _opened(path) as image:
        return Header(image.height, image.width, image.mode)


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """Opens an image of 8 bits a pixel; every error inside is reported as the file's.

    Pillow's readers meet damaged files with errors of any kind.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            _require_eight_bits(path, image.mode)
            yield image
    except (DataError, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(f" {str(path)!r}", "")
        raise DataError(
            f"{path} cannot be read as an image ({reason}); get it again, or remove it from its folder"
        ) from error


def _require_eight_bits(path: Path, mode: str) -> None:
    """Refuses pixels of more bits, whose range is anyone's guess."""
    if mode not in MODES:
        raise DataError(
            f"{path} has pixels of type {mode}, more than 8 bits each, but images must have 8: which value is white is "
            "not known; save it as 8-bit grey or RGB"
        )
