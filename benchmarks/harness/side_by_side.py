"""Independent calls in worker processes, or in this one, with results in the order of the calls."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")


def side_by_side(function: Callable[..., T], arguments: Iterable[tuple[object, ...]], workers: int) -> list[T]:
    """What a function gives for each tuple of arguments.

    Args:
        function: of a module's top level, but not of a `__main__`: workers import it by name.

    Raises:
        ValueError: no worker could import the function.
    """
    if function.__module__.rpartition(".")[2] == "__main__":
        raise ValueError(
            f"{function.__qualname__} stands in {function.__module__}, which workers cannot import; move it out"
        )
    if workers == 1:
        return [function(*each) for each in arguments]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(function, *each) for each in arguments]]
