"""Maps a function over items in forked processes, one for each core where forking is safe."""

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import count
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

FEWEST = 64
"""Items below which further processes do not pay."""
FIRST = 8
"""Items done before this process is copied, so that what they load is loaded once."""

_numbers = count()
_inherited: dict[int, Callable[[int], Any]] = {}
"""What a copy of this process works with, by the number of the call."""


def forked_map(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Computes `work` for all items, in order; results are pickled, function and items are not.

    A copy inherits everything that was loaded, a user's operations among them. Where threads run beside the caller a
    copy might wait for a lock for ever, so then, and on systems other than Linux, all is done here.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    if cores < 2 or len(items) < FEWEST or threading.active_count() > 1 or multiprocessing.current_process().daemon:
        yield from map(work, items)
        return
    yield from map(work, items[:FIRST])
    done = FIRST
    number = next(_numbers)
    _inherited[number] = lambda index: work(items[index])
    try:
        with ProcessPoolExecutor(cores, multiprocessing.get_context("fork"), gc.freeze) as pool:
            for result in pool.map(partial(_nth, number), range(FIRST, len(items)), chunksize=8):
                done += 1
                yield result
    except BrokenProcessPool:  # the system has ended one, for want of memory perhaps
        yield from map(work, items[done:])
    finally:
        del _inherited[number]


def _nth(number: int, index: int) -> Any:
    return _inherited[number](index)
