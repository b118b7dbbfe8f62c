"""Arrays as a user stores them, checked and brought to (N, C, H, W) uint8 and (N,) int64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdzero_gp.data.sources.split import Indices
from kdzero_gp.errors import DataError

CHANNELS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Arrays:
    """Checked images (N, C, H, W) uint8 and labels (N,) int64, or (N, K) float32 of 0 and 1."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]

    def take(self, indices: Indices) -> Arrays:
        """The images and labels at `indices`."""
        return Arrays(self.images[indices], self.labels[indices])


def checked(x: NDArray[Any], y: NDArray[Any], x_name: str, y_name: str) -> Arrays:
    """Check a user's images and labels.

    Args:
        x: (N, H, W, C) or (N, H, W), whole numbers 0 … 255 of any integer or float type.
        y: (N,) whole numbers from 0 up.
        x_name, y_name: what messages call them.

    Raises:
        DataError: the first rule that is broken, with the value found and the way out.
    """
    images = checked_images(x, x_name)
    if y.ndim != 1:
        raise DataError(
            f"{y_name} has shape {y.shape}, but must be (N,): one whole number per image "
            "(np.argmax(y, 1) for one-hot labels, y.ravel() for a column)"
        )
    if len(x) != len(y):
        raise DataError(f"{x_name} has {len(x)} images, but {y_name} has {len(y)} labels; both must be equally many")
    if len(y) == 0:
        raise DataError(f"{x_name} has no images; at least two per class are needed")
    require_numbers(y, y_name)
    _require_whole(y, y_name, "labels are class numbers 0, 1, 2, …")
    if (smallest := y.min()) < 0:
        raise DataError(
            f"{y_name} has the label {smallest} at index {int(y.argmin())}, but labels must be 0 or more; "
            "drop images without a class and number the classes from 0"
        )
    if y.max() > np.iinfo(np.int64).max // 2:
        raise DataError(f"{y_name} has the label {y.max()}, but labels must be class numbers 0, 1, 2, …")
    return Arrays(images, y.astype(np.int64))


def checked_images(x: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Checks a user's images and brings them to (N, C, H, W); arguments and errors as of `checked`."""
    if x.ndim not in (3, 4):
        raise DataError(f"{name} has shape {x.shape}, but must be (N, H, W, C) or (N, H, W); reshape it")
    if x.ndim == 4 and x.shape[3] not in CHANNELS:
        swap = " It looks like (N, C, H, W): store x.transpose(0, 2, 3, 1)" if x.shape[1] in CHANNELS else ""
        raise DataError(
            f"{name} has shape {x.shape}, that is {x.shape[3]} channels, but must be (N, H, W, C) with 1 to 4.{swap}"
        )
    if 0 in x.shape[1:]:
        raise DataError(f"{name} has shape {x.shape}: images without a pixel; every size must be at least 1")
    if x.dtype != np.uint8 and x.size:
        require_numbers(x, name)
        low, high = x.min(), x.max()
        if low < 0 or high > 255 or (x.dtype.kind == "f" and high <= 1 and not _is_whole(x)):
            hint = "; if 1.0 is white, store (x * 255).round().astype('uint8')" if high <= 1 and low >= 0 else ""
            raise DataError(f"{name} has pixels from {low:g} to {high:g}, but they must be whole numbers 0 … 255{hint}")
        _require_whole(x, name, "pixels are whole numbers 0 … 255: store x.round().astype('uint8')")
    maps = x[..., None] if x.ndim == 3 else x
    return maps.transpose(0, 3, 1, 2).astype(np.uint8, copy=False)


def require_numbers(values: NDArray[Any], name: str) -> None:
    """Sees that an array holds finite numbers.

    Raises:
        DataError: it does not; names the first that is none.
    """
    if values.dtype.kind not in "uif":
        raise DataError(f"{name} holds {values.dtype}, but must hold numbers (uint8 images, int64 labels)")
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        first = np.unravel_index(int(np.argmin(finite)), values.shape)
        place = ", ".join(str(int(i)) for i in first)
        raise DataError(
            f"{name} has {int((~finite).sum())} NaN or infinite values, the first at index [{place}], "
            "but all must be finite; repair or drop those entries"
        )


def _is_whole(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool((values == np.floor(values)).all())


def _require_whole(values: NDArray[Any], name: str, rule: str) -> None:
    if not _is_whole(values):
        first = values.flat[int(np.argmax((values != np.floor(values)).ravel()))]
        raise DataError(f"{name} has the value {first:g}, but {rule}")
