"""Where the teacher's outputs are kept: decided by sizes and a budget alone, so that no order of use changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Tier = Literal["device", "host", "file"]
"""The memory of the training device; the host's memory beside a GPU; a file that all processes of a machine map."""
Key = tuple[str, str]
"""A split and a tap."""

GIB = 2**30
SHARED_BYTES = 64 * 2**20
"""Bytes of one view from which, on a CPU, a tap is kept in a file: mapped by many workers, it is in memory once."""
SHARED_PIXELS = 4096 * 32 * 32
"""Pixels of a split from which that holds for each of its taps: only one worker needs to compute it, which takes
resnet56 ten seconds of one core."""


def tiers(
    sizes: Mapping[Key, int], pixels: Mapping[str, int], *, views: int, budget_gb: float, device_type: str
) -> dict[Key, Tier]:
    """The tier of every tap of every split.

    The smallest come first, those of one size by name. Each memory tier takes what fits into the budget, a tap with
    all its views; the file takes the rest. A batch is gathered by the host wherever its rows do not lie on the device,
    so the host's memory is no faster than a file that is in the page cache; it saves the writing.

    Args:
        sizes: bytes of one view.
        pixels: of all images of a split.
        views: of the training split.
        budget_gb: GiB of each memory tier, of each process.
        device_type: "cpu" or "cuda".
    """
    memory: tuple[Tier, ...] = ("device",) if device_type == "cpu" else ("device", "host")
    left = dict.fromkeys(memory, budget_gb * GIB)
    result: dict[Key, Tier] = {}
    for key, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        whole = size * (views if key[0] == "train" else 1)
        shared = device_type == "cpu" and (size >= SHARED_BYTES or pixels[key[0]] >= SHARED_PIXELS)
        place: Tier = next((tier for tier in memory if whole <= left[tier] and not shared), "file")
        result[key] = place
        if place != "file":
            left[place] -= whole
    return result
