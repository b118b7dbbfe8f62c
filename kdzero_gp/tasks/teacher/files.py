"""Teacher outputs in files of the cache folder: written once, mapped by every process of the machine."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.teacher.folder import bound_cache

FORMAT = "kdzero_gp teacher outputs 1"


HEADER = 4096
"""Bytes before the numbers: one page, so that the numbers begin at one."""


RESERVE = 2**30
"""Bytes of the disk that are left free."""


SUFFIX = ".outputs"


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """One file: the rows (N, …) float32 of one tap for one view of one split.

    Attributes:
        name: of the file, without what belongs to all of the teacher's files.
        shape: of the rows; maps are (N, H, W, C), so that one image is one piece of memory.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The size of the numbers in bytes."""
        return 4 * math.prod(self.shape)


class TeacherFiles:
    """The files of one teacher on one data set.

    A file has its whole name and size from the moment it exists: it is written under another name and renamed. Its
    first page says what it holds, and is compared byte by byte; what differs is not read. Files whose writer was killed
    are removed by the next one.

    Args:
        folder: the cache folder, which exists.
        identity: digest of everything that decides the numbers.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity
        self._stem = f"teacher-{identity[:16]}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, no other process writes files of this teacher; leftovers of killed ones are gone."""
        with FileLock(self.folder / f"{self._stem}.lock"):
            for leftover in self.folder.glob(f".{self._stem}-*"):
                leftover.unlink(missing_ok=True)
            yield

    def path(self, place: Place) -> Path:
        """Gives the path of a place's file."""
        return self.folder / f"{self._stem}-{re.sub(r'[^A-Za-z0-9_.]', '_', place.name)}{SUFFIX}"

    def open(self, place: Place) -> Tensor | None:
        """Maps a file; returns None where it is missing or has another size or header."""
        path = self.path(place)
        try:
            with path.open("rb") as file:
                sound = file.read(HEADER) == self._header(place) and file.seek(0, 2) == HEADER + place.size
            if sound:
                os.utime(path)  # what was used last is removed last
                # Copy on write: the file cannot be changed through the tensor, and torch wants memory it may write to.
                mapped = np.memmap(path, dtype=np.float32, mode="c", offset=HEADER, shape=place.shape)
                return torch.from_numpy(mapped)
            _log.warning("The teacher outputs in %s are damaged, or another's, and are computed anew", path)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("The teacher outputs in %s cannot be read (%s) and are computed anew", path, error)
        return None

    @contextmanager
    def writer(self, place: Place) -> Iterator[BinaryIO]:
        """Opens a file for `place.shape[0]` rows; it appears when the block ends without an error.

        Raises:
            ConfigError: the disk is full, or cannot be written.
        """
        path = self.path(place)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                file.write(self._header(place))
                yield file
                file.flush()
                os.fsync(file.fileno())
                if (written := file.tell() - HEADER) != place.size:
                    raise AssertionError(f"{written} bytes were written of the {place.size} of {place}")
            partial.replace(path)
        except OSError as error:
            raise ConfigError(
                f"The teacher's outputs cannot be written to {path} ({error}); make room there, set another cache "
                "folder, or compute them in every step (--cache-gb 0)"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def make_room(self, size: int) -> None:
        """Removes what other teachers left, the longest unused first, until disk and limit have room for `size` bytes.

        Raises:
            ConfigError: it has not.
        """
        bound_cache(self.folder, size, spare=self._stem)
        others = [p for p in self.folder.glob(f"teacher-*{SUFFIX}") if not p.name.startswith(self._stem)]
        for path in sorted(others, key=lambda path: path.stat().st_mtime):
            if self._free() >= size:
                return
            _log.warning("The disk of %s is nearly full: %s is removed", self.folder, path.name)
            path.unlink(missing_ok=True)
        if (free := self._free()) < size:
            raise ConfigError(
                f"The teacher's outputs need {size / 2**30:.2f} GiB in {self.folder}, but its disk has "
                f"{max(free, 0) / 2**30:.2f} GiB left beyond the {RESERVE / 2**30:.0f} GiB that stay free; make room, "
                "set another cache folder, use fewer views, or compute the outputs in every step (--cache-gb 0)"
            )

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free - RESERVE

    def _header(self, place: Place) -> bytes:
        content = {"format": FORMAT, "identity": self.identity, "name": place.name, "shape": place.shape}
        return json.dumps(content, sort_keys=True).encode().ljust(HEADER - 1) + b"\n"


def teacher_identity(teacher: nn.Module, device: torch.device, parts: Sequence[object]) -> str:
    """Computes the SHA-256, 64 hex digits, of the teacher, its software and `parts`.

    The teacher's code is not among it: a changed one is found out by its outputs (see `TeacherCache`).

    Args:
        parts: what else decides: data, augmentation, layout, chunk size. Their texts count.
    """
    digest = hashlib.sha256()
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    # Another number of threads may add in another order.
    computed_by = [torch.__version__, device.type, machine, torch.get_num_threads()]
    digest.update(repr([*computed_by, type(teacher).__qualname__, str(teacher), *parts]).encode())
    for name, value in teacher.state_dict().items():
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
