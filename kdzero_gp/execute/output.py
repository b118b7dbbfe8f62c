"""The output of candidates: kept out of the terminal, memory and disk, except for the last few lines.

Primitives are the user's code, evolved into thousands of programs: one `print` in a loop would bury a run's own output.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

KEPT = 4096
"""Bytes of a candidate's output that are kept."""


class Tail(io.BufferedIOBase):
    """A stream that remembers the last `KEPT` bytes written to it."""

    name = "<output of a candidate>"

    def __init__(self) -> None:
        self._kept = b""

    def writable(self) -> bool:
        """Tells that the stream is always writable."""
        return True

    def write(self, data: object) -> int:
        """Takes all data and keeps the end."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._kept = (self._kept + bytes(view[-KEPT:]))[-KEPT:]
        return len(view)

    def above(self, message: str) -> str:
        """Puts what was written, if anything was, above a message, whose last line stays the last."""
        text = self._kept.decode("utf-8", "replace").strip()
        return f"its last output:\n{text}\n\n{message}" if text else message


@contextmanager
def capture_output() -> Iterator[Tail]:
    """Keeps from the terminal what the block prints by way of `sys.stdout` and `sys.stderr`."""
    tail = Tail()
    text = io.TextIOWrapper(tail, encoding="utf-8", errors="replace", write_through=True)
    with redirect_stdout(text), redirect_stderr(text):
        yield tail


def silence_process() -> None:
    """Sends all further output of this process to the null device, also that of compiled code.

    For a worker process. The null device is no pipe that somebody has to empty: a flood cannot fill it, nor does it
    wait for a reader.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
