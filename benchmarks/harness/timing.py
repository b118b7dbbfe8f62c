"""Times contestants side by side, so that what else the machine does hits all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Work = Callable[[int], Any]


@dataclass(frozen=True)
class Timed:
    """What one contestant took and gave.

    Attributes:
        microseconds: per call, the median over the rounds.
        outcomes: what every call of the first round returned.
    """

    microseconds: float
    outcomes: tuple[Any, ...]


def race(contestants: Mapping[str, Work], *, calls: int, rounds: int) -> dict[str, Timed]:
    """Runs each contestant's `calls` calls, one contestant after another, `rounds` times.

    Args:
        contestants: by name, a function of the call's number within its round.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    first: dict[str, tuple[Any, ...]] = {}
    for work in contestants.values():
        work(0)  # the first call pays for imports and caches
    for _ in range(rounds):
        for name, work in contestants.items():
            seconds, outcomes = _block(work, calls)
            times[name].append(1e6 * seconds / calls)
            first.setdefault(name, outcomes)
    return {name: Timed(statistics.median(times[name]), first[name]) for name in contestants}


def _block(work: Work, calls: int) -> tuple[float, tuple[Any, ...]]:
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        outcomes = [work(number) for number in range(calls)]
        return time.perf_counter() - started, tuple(outcomes)
    finally:
        if collecting:
            gc.enable()
