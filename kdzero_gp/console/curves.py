"""TensorBoard curves that are a copy of what is stored: where they cannot be written, work goes on without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

FLUSH_SECONDS = 1
"""The writer's thread may sleep that long; Ctrl-C at a bad moment leaves it asleep, and `close` waits for it."""


class Curves:
    """Writes scalars to `FOLDER/tensorboard`; gives up for good when that fails, as on a full disk."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None

    def open(self, folder: Path, *, purge_step: int | None = None) -> None:
        """Opens the event file.

        Args:
            purge_step: points from here on, of a process that was interrupted, are not shown.
        """
        with self._spared():
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge_step, flush_secs=FLUSH_SECONDS)

    def add(self, name: str, value: float, step: int) -> None:
        """Adds one point to the curve `name`."""
        with self._spared():
            if self._writer is not None:
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what is still in memory."""
        with self._spared():
            if self._writer is not None:
                self._writer.close()

    @contextmanager
    def _spared(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._writer = None
