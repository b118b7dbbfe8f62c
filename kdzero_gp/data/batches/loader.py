"""Batches of decoded images, which threads prepare ahead of the training.

Threads do what processes would: Pillow lets go of Python's lock while it decodes and resizes, and threads work inside
worker processes and below scripts without `if __name__ == "__main__"`, and copy nothing between processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Decode = Callable[[int, int | None], NDArray[np.uint8]]
"""The pixels (H, W, C) of an image by its number and the view."""
Request = tuple[Tensor, int | None]
"""The numbers (B,) int64 of a batch, and the view."""

AHEAD = 3
"""Batches that are decoded before they are asked for."""
PIECE = 4
"""Images that a thread decodes at a time."""


@dataclass(frozen=True, eq=False)
class _Batch:
    numbers: Sequence[int]
    view: int | None
    pixels: Tensor
    pieces: tuple[Future[None], ...]


class Loader:
    """Serves batches of pixels. What is planned decides how long a batch takes, and never what is in it.

    Args:
        decode: called by several threads at once.
        shape: (H, W, C) of an image.
        threads: that decode.
        pinned: whether batches lie in page-locked memory: nobody waits for their copy to a GPU.
    """

    def __init__(self, decode: Decode, shape: tuple[int, int, int], *, threads: int, pinned: bool = False) -> None:
        self._decode = decode
        self._shape = shape
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._pinned = pinned
        self._plan: Iterator[Request] = iter(())
        self._ahead: deque[_Batch] = deque()

    def follow(self, requests: Iterable[Request]) -> None:
        """Begins to decode what will be asked for, in this order; it takes the place of an earlier plan."""
        for batch in self._ahead:
            _drop(batch)
        self._ahead.clear()
        self._plan = iter(requests)
        self._fill()

    def __call__(self, numbers: Tensor, view: int | None) -> Tensor:
        """Gives the pixels (B, H, W, C) uint8 on the host of the images numbered `numbers`, planned or not.

        Raises:
            DataError: a file that is no image.
        """
        wanted = numbers.tolist()
        if self._ahead and (self._ahead[0].numbers, self._ahead[0].view) == (wanted, view):
            batch = self._ahead.popleft()
        else:
            batch = self._begun(wanted, view)
        self._fill()
        try:
            for piece in batch.pieces:
                piece.result()
        except BaseException:
            _drop(batch)
            raise
        return batch.pixels

    def _fill(self) -> None:
        while len(self._ahead) < AHEAD and (request := next(self._plan, None)) is not None:
            self._ahead.append(self._begun(request[0].tolist(), request[1]))

    def _begun(self, numbers: list[int], view: int | None) -> _Batch:
        pixels = torch.empty((len(numbers), *self._shape), dtype=torch.uint8, pin_memory=self._pinned)
        rows = pixels.numpy()

        def decode(first: int) -> None:
            for place in range(first, min(first + PIECE, len(numbers))):
                rows[place] = self._decode(numbers[place], view)

        pieces = tuple(self._pool.submit(decode, first) for first in range(0, len(numbers), PIECE))
        return _Batch(numbers, view, pixels, pieces)


def _drop(batch: _Batch) -> None:
    for piece in batch.pieces:
        piece.cancel()
