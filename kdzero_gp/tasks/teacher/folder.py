"""The cache folder, which keeps trained teachers and their outputs."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdzero_gp.errors import ConfigError
from kdzero_gp.untrusted import user_path

CACHE_VARIABLE = "KDZERO_GP_CACHE"
LIMIT_VARIABLE = "KDZERO_GP_CACHE_GB"
LIMIT_GB = 50.0
"""GiB that the folder may hold, unless the user says otherwise."""
_OURS = re.compile(r"\.?(teacher-[0-9a-f]{16}-.*\.outputs|.+-[0-9a-f]{16}\.safetensors)(\.\d+)?")
"""Outputs and weights of teachers; with a dot and a process number, what one that was killed left."""
_log = logging.getLogger(__name__)


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Finds the cache folder, and makes it if need be.

    Args:
        cache_dir: None means `$KDZERO_GP_CACHE`, or else `~/.cache/kdzero_gp`.

    Raises:
        ConfigError: it cannot be written.
    """
    folder = user_path(cache_dir or os.environ.get(CACHE_VARIABLE) or "~/.cache/kdzero_gp")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ConfigError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}), but trained teachers and their "
            f"outputs are kept there; set the environment variable {CACHE_VARIABLE} to a folder that can"
        ) from error


class Cleared(NamedTuple):
    """The number and bytes of the files that were removed."""

    files: int
    size: int


def clear_cache(cache_dir: str | Path | None = None) -> Cleared:
    """Removes every teacher and all teachers' outputs from the folder; locks and foreign files stay.

    A process that is using an output goes on with it, and one that needs it again computes it again.

    Args:
        cache_dir: as for `cache_folder`.

    Raises:
        ConfigError: the folder cannot be written.
    """
    files = size = 0
    for path, bytes_ in _contents(cache_folder(cache_dir)):
        path.unlink(missing_ok=True)
        files, size = files + 1, size + bytes_
    return Cleared(files, size)


def bound_cache(folder: Path, coming: int, *, spare: str = "") -> None:
    """Removes the least recently used files until `coming` bytes more fit the folder's limit.

    Args:
        folder: the cache folder.
        coming: bytes that are about to be written. They may be more than the limit, which is of what is left behind.
        spare: beginning of the names of files that stay.

    Raises:
        ConfigError: `$KDZERO_GP_CACHE_GB` is no number.
    """
    limit = cache_limit()
    found = [(path.stat().st_mtime, path, size) for path, size in _contents(folder)]
    total = coming + sum(size for _, _, size in found)
    for _, path, size in sorted(found):
        if total <= limit:
            return
        if not (spare and path.name.lstrip(".").startswith(spare)):
            _log.warning("%s holds more than %.1f GiB (%s): %s is removed", folder, limit / 2**30, LIMIT_VARIABLE, path)
            path.unlink(missing_ok=True)
            total -= size


def cache_limit() -> float:
    """Reads the limit of the folder in bytes.

    Raises:
        ConfigError: `$KDZERO_GP_CACHE_GB` is no number above 0.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(LIMIT_GB)
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise ConfigError(f"{LIMIT_VARIABLE} is '{text}', but must be a number of GiB above 0, such as {LIMIT_GB:g}")
    return limit * 2**30


def _contents(folder: Path) -> Iterator[tuple[Path, int]]:
    """Lists our files in the folder with their sizes."""
    for path in sorted(folder.iterdir()):
        try:
            if _OURS.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                yield path, path.stat().st_size
        except FileNotFoundError:  # another process removed it
            continue
