"""A race times every contestant alike."""

import time

from benchmarks.harness.timing import race


def test_race_times_every_contestant_and_keeps_the_first_round() -> None:
    rounds: list[int] = []

    def slow(number: int) -> int:
        rounds.append(number)
        time.sleep(0.002)
        return number

    times = race({"slow": slow, "fast": lambda number: -number}, calls=3, rounds=2)
    assert times["slow"].outcomes == (0, 1, 2)
    assert times["fast"].outcomes == (0, -1, -2)
    assert times["slow"].microseconds >= 2000 > times["fast"].microseconds
    assert rounds == [0, 0, 1, 2, 0, 1, 2], "one call warms up"
