"""The folder of a run: its name, how it is made, its lock, and the configuration to read in it."""

import datetime
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from kdzero_gp.errors import StoreError
from kdzero_gp.store.failures import report_failures
from kdzero_gp.store.schema import DATABASE_NAME, UNFINISHED_NAME
from kdzero_gp.whole_file import write_whole

CONFIG_NAME = "config.yaml"
LOCK_NAME = "run.lock"


def default_folder(teacher: str, student: str, parent: str = "runs") -> Path:
    """`parent/` with the date, the time and the pair; a number behind it where two begin in one second."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    first = Path(parent) / f"{stamp}_{re.sub(r'[^A-Za-z0-9._-]+', '_', f'{teacher}-{student}')}"
    folder, number = first, 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}_{number}")
    return folder


@contextmanager
def reserve_folder(folder: Path) -> Iterator[None]:
    """Makes the folder of a new run at once, and removes it if the block fails before anything is in it.

    Raises:
        StoreError: it holds something, or cannot be made or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        make_empty(folder)
        with report_failures("write to", folder, then="try again, or take another --run-dir"):
            tempfile.TemporaryFile(dir=folder).close()
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # what holds something stays
                path.rmdir()
        raise


def make_empty(folder: Path) -> None:
    """Makes the folder, or checks that it is empty.

    Raises:
        StoreError: it cannot be made, cannot be listed, or holds something.
    """
    with report_failures("create the run folder", folder, then="try again, or take another --run-dir"):
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    # What a creation leaves that was killed before it had made a run.
    names = [name for name in names if name != LOCK_NAME and not name.startswith(UNFINISHED_NAME)]
    if DATABASE_NAME in names:
        raise StoreError(
            f"{folder} already holds a run, and a new run needs a new or empty folder. "
            f"Go on with that one by --resume {folder}, or take another --run-dir"
        )
    if names:
        raise StoreError(
            f"{folder} is not empty (it holds {names[0]!r}), and a new run needs a new or empty folder. "
            "Take another --run-dir; to go on with an earlier run name its folder by --resume"
        )


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Writes `config.yaml`, for people: the program itself reads the configuration from the database."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    note = f"# What this run was started with, to read. Changing it changes nothing: {DATABASE_NAME} decides.\n"
    write_whole(folder / CONFIG_NAME, [note, text], then=f"go on with --resume {folder}")


class FolderLock:
    """An exclusive lock on a run folder; the kernel frees it when the holder dies, even by `kill -9`.

    The file stays behind when the lock is released: removing it would let two later writers lock two
    different files of one name. What stands in it (process id and host) serves the error message alone.
    """

    def __init__(self, folder: Path) -> None:
        """Takes the lock at once or not at all.

        Raises:
            StoreError: another process holds it, or the lock file cannot be written.
        """
        path = folder / LOCK_NAME
        self._lock = FileLock(str(path), timeout=0, thread_local=False)
        try:
            with report_failures("lock", folder, then="try again, or take another --run-dir"):
                self._lock.acquire()
        except StoreError as error:
            if isinstance(error.__cause__, Timeout):
                raise StoreError(
                    f"another process ({_holder(path)}) is writing to {folder}, and a run has one writer. "
                    "Wait for it or stop it, or take another --run-dir"
                ) from None
            raise
        self._owner = os.getpid()
        with suppress(OSError):  # a full disk must not keep the owner out of the folder
            path.write_text(f"{self._owner} {socket.gethostname()}\n", encoding="utf-8")

    def release(self) -> None:
        """Lets the next writer in; a forked child that inherited the object leaves the lock alone."""
        if os.getpid() == self._owner:
            self._lock.release()


def _holder(path: Path) -> str:
    try:
        pid, host = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "pid unknown"
    return f"pid {pid}" if host == socket.gethostname() else f"pid {pid} on {host}"
