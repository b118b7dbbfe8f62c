"""One writer per run folder, for as long as the process lives and not a moment longer."""

import os
import socket
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kdzero_gp.errors import StoreError
from kdzero_gp.store.failures import reported

LOCK_NAME = "run.lock"


class FolderLock:
    """An exclusive lock on a run folder; the kernel frees it when the holder dies, even by `kill -9`.

    The file stays behind when the lock is released: removing it would let two later writers lock two
    different files of one name. What stands in it (process id and host) serves the error message alone.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock at once or not at all.

        Raises:
            StoreError: another process holds it, or the lock file cannot be written.
        """
        path = folder / LOCK_NAME
        self._lock = FileLock(str(path), timeout=0, thread_local=False)
        try:
            with reported("lock", folder, then="try again, or take another --run-dir"):
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
        """Let the next writer in; a forked child that inherited the object leaves the lock alone."""
        if os.getpid() == self._owner:
            self._lock.release()


def _holder(path: Path) -> str:
    try:
        pid, host = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "pid unknown"
    return f"pid {pid}" if host == socket.gethostname() else f"pid {pid} on {host}"
