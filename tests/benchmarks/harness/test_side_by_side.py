"""Results come in the order of the calls, from here or from workers."""

import os

import pytest

from benchmarks.harness.side_by_side import side_by_side


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_the_order_of_the_calls(workers: int) -> None:
    calls = [(2, number) for number in range(7)]
    assert side_by_side(pow, calls, workers) == [2**number for number in range(7)]
    (process,) = side_by_side(os.getpid, [()], workers)
    assert (process == os.getpid()) == (workers == 1)
