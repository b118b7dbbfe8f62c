"""The teacher's outputs, computed once for every tap, split and view that is asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from kdzero_gp.data.batches.serving import Batches
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.teacher.files import Place, TeacherFiles

Teach = Callable[[Tensor, Iterable[str]], Knowledge]


Wanted = tuple[str, int | None]
"""A split and a view of it; None are the images as they are."""


class TeacherCache:
    """Serves teacher taps of whole splits and of batches, from the device's memory, the host's, or mapped files.

    Every tap is computed in the same chunks wherever it is kept, so the tier changes nothing about the numbers.

    Args:
        teach: the teacher's forward pass without gradient, of images and tap names.
        taps: the teacher's.
        images: by split.
        chunk: images of one forward pass.
        views: of the training split.
        budget_gb: see `tiers`.
        files: made when the first tap needs one.
    """

    def __init__(
        self,
        teach: Teach,
        taps: Taps,
        images: Mapping[str, Batches],
        *,
        chunk: int,
        views: int,
        budget_gb: float,
        files: Callable[[], TeacherFiles],
    ) -> None:
        self._teach = teach
        self._taps = taps
        self._images = images
        self._chunk = chunk
        self._make_files = files
        self._files: TeacherFiles | None = None
        self._device = next(iter(images.values())).device
        sizes = {
            (split, tap): 4 * len(batches) * _numbers(taps, tap) for split, batches in images.items() for tap in taps
        }
        pixels = {split: batches.pixels for split, batches in images.items()}
        self._tiers = tiers(sizes, pixels, views=views, budget_gb=budget_gb, device_type=self._device.type)
        self._kept: dict[tuple[Wanted, str], Tensor] = {}

    def tier(self, split: str, tap: str) -> Tier:
        """Tells where a tap of a split is kept."""
        return self._tiers[split, tap]

    def whole(self, split: str, names: Iterable[str], view: int | None = None) -> Knowledge:
        """Reads the taps of all images of a split, on the device."""
        rows = self._ready((split, view), tuple(names))
        return Knowledge(**{name: shown(tensor.to(self._device)) for name, tensor in rows.items()})

    def batch(self, split: str, names: Iterable[str], numbers: Tensor, view: int | None = None) -> Knowledge:
        """Reads the taps of the images numbered `numbers`, (B,) int64, on the device.

        Numbers on the host spare a GPU the wait for them where a tap is kept there.
        """
        at = {numbers.device: numbers}
        taken = {}
        for name, rows in self._ready((split, view), tuple(names)).items():
            if rows.device not in at:
                at[rows.device] = numbers.to(rows.device, non_blocking=True)
            some = rows.index_select(0, at[rows.device])
            if some.device != self._device:
                some = some.pin_memory().to(self._device, non_blocking=True)
            taken[name] = shown(some)
        return Knowledge(**taken)

    def _ready(self, wanted: Wanted, names: tuple[str, ...]) -> dict[str, Tensor]:
        missing = [name for name in names if (wanted, name) not in self._kept]
        if missing:
            filed = [name for name in missing if self._tiers[wanted[0], name] == "file"]
            if filed:
                self._kept |= {(wanted, name): rows for name, rows in self._from_files(wanted, filed).items()}
            in_memory = [name for name in missing if name not in filed]
            if in_memory:
                self._kept |= {(wanted, name): rows for name, rows in self._in_memory(wanted, in_memory).items()}
        return {name: self._kept[wanted, name] for name in names}

    def _in_memory(self, wanted: Wanted, names: list[str]) -> dict[str, Tensor]:
        places = {name: "cpu" if self._tiers[wanted[0], name] == "host" else self._device for name in names}
        chunks = [
            {name: rows.to(places[name]) for name, rows in chunk.items()} for chunk in self._computed(wanted, names)
        ]
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in names}

    def _from_files(self, wanted: Wanted, names: list[str]) -> dict[str, Tensor]:
        files = self._files = self._files or self._make_files()
        places = {name: self._place(wanted, name) for name in names}
        found: dict[str, Tensor] = {}
        with files.locked():
            stored = {name: rows for name, place in places.items() if (rows := files.open(place)) is not None}
            if stored:  # a file of the right form may still stem from a teacher whose code was another
                first = next(self._computed(wanted, list(stored)))
                found = {name: rows for name, rows in stored.items() if self._agree(rows, first[name])}
            missing = [name for name in names if name not in found]
            if missing:
                self._write(files, wanted, {name: places[name] for name in missing})
                for name in missing:
                    rows = files.open(places[name])
                    if rows is None:
                        raise AssertionError(f"{files.path(places[name])} was written and cannot be read")
                    found[name] = rows
        return found

    def _write(self, files: TeacherFiles, wanted: Wanted, places: Mapping[str, Place]) -> None:
        files.make_room(sum(place.size for place in places.values()))
        with ExitStack() as open_files:
            writers = {name: open_files.enter_context(files.writer(place)) for name, place in places.items()}
            for chunk in self._computed(wanted, list(places)):
                for name, rows in chunk.items():
                    writers[name].write(np.ascontiguousarray(rows.cpu().numpy()).data)

    def _agree(self, stored: Tensor, computed: Tensor) -> bool:
        """Tells whether the first chunk equals the teacher's output now, on a CPU to the bit."""
        stored, computed = stored[: len(computed)], computed.cpu()
        if self._device.type == "cpu":
            return torch.equal(stored, computed)
        return bool((stored - computed).norm() <= 1e-2 * computed.norm())

    def _computed(self, wanted: Wanted, names: list[str]) -> Iterator[dict[str, Tensor]]:
        """Yields the rows of one chunk of images after another."""
        split, view = wanted
        images = self._images[split]
        chunks = torch.arange(len(images), device=self._device).split(self._chunk)
        images.follow((numbers, view) for numbers in chunks)
        for numbers in chunks:
            taught = self._teach(images(numbers, view), names)
            yield {name: as_rows(tensor) for name, tensor in taught.items()}

    def _place(self, wanted: Wanted, name: str) -> Place:
        split, view = wanted
        tap = self._taps[name]
        shape = (*tap.shape[1:], tap.shape[0]) if len(tap.shape) == 3 else tap.shape
        seen = "plain" if view is None else f"view{view}"
        return Place(f"{split}-{seen}-{tap.side}{tap.call}-{tap.path}", (len(self._images[split]), *shape))


def as_rows(taps: Tensor) -> Tensor:
    """Lays a tap out for the cache: float32, maps as (N, H, W, C), one image in one piece of memory."""
    return (taps.permute(0, 2, 3, 1) if taps.dim() == 4 else taps).float().contiguous()


def shown(rows: Tensor) -> Tensor:
    """Turns cached rows into a tap: maps (N, C, H, W) in channels-last layout.

    In it pooling and 1x1 convolutions of wide maps run up to 13 times faster on a CPU.
    """
    return rows.permute(0, 3, 1, 2) if rows.dim() == 4 else rows


def _numbers(taps: Taps, name: str) -> int:
    count = 1
    for size in taps[name].shape:
        count *= size
    return count


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
    """Chooses the tier of every tap of every split.

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
