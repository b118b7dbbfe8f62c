"""Independent calls in worker processes, or in this one, with results in the order of the calls."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")


def side_by_side(function: Callable[..., T], arguments: Iterable[tuple[object, ...]], workers: int) -> list[T]:
    """What a function gives for each tuple of arguments; a module-level one, since it travels to the workers."""
    if workers == 1:
        return [function(*each) for each in arguments]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(function, *each) for each in arguments]]
