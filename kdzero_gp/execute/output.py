"""What candidates print: kept out of the terminal, memory and disk, except for the last few lines.

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
        """Always."""
        return True

    def write(self, data: object) -> int:
        """Takes all of it."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._kept = (self._kept + bytes(view[-KEPT:]))[-KEPT:]
        return len(view)

    def above(self, message: str) -> str:
        """A message below what was written, if anything was. The last line stays the message's own."""
        text = self._kept.decode("utf-8", "replace").strip()
        return f"its last output:\n{text}\n\n{message}" if text else message


@contextmanager
def quiet() -> Iterator[Tail]:
    """Takes what is printed inside, by way of `sys.stdout` and `sys.stderr`, from the terminal."""
    tail = Tail()
    text = io.TextIOWrapper(tail, encoding="utf-8", errors="replace", write_through=True)
    with redirect_stdout(text), redirect_stderr(text):
        yield tail


def silence() -> None:
    """Sends this process' output to nowhere for good, also what compiled code writes.

    For a worker process. Nowhere, rather than a pipe that somebody empties: a flood can neither fill it nor have to
    wait for its reader.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
