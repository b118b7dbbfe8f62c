"""Writes a file whole or not at all: a reader, or the heir of a killed process, finds the old one or the new."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kdzero_gp.errors import KdzeroError, StoreError


def write_whole(
    path: Path, content: bytes | Iterable[str], *, then: str, error: type[KdzeroError] = StoreError
) -> None:
    """Writes a file beside its place, on to the disk, and moves it there.

    Args:
        content: bytes, or pieces of text, which are written as UTF-8.
        then: what the user does once the cause of a failure is mended.
        error: the class of a failure.

    Raises:
        KdzeroError: of the class `error`, if it cannot be written; what stood there before stands there still.
    """
    data = content if isinstance(content, bytes) else "".join(content).encode()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        if path.exists() and not path.is_file():
            raise error(f"cannot write {path}: it is not a regular file. Name another file")
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        raise error(f"cannot write {path}: {fault.strerror or fault}. Mend that, then {then}") from fault
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut, where the system allows a folder to be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
