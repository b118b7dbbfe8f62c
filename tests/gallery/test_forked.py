"""Work spread over copies of this process: the same results in order, from functions that cannot be pickled."""

import os
import sys
import threading
from itertools import islice

import pytest

from kdzero_gp.gallery import forked
from kdzero_gp.gallery.forked import FEWEST, forked_map

linux_with_cores = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="copies need Linux and two cores"
)
ITEMS = list(range(FEWEST + 10))


@linux_with_cores
def test_many_items_go_to_copies_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    here = os.getpid()
    found = list(forked_map(lambda item: (item * item, os.getpid()), ITEMS))
    assert [square for square, _ in found] == [item * item for item in ITEMS]
    assert {process == here for _, process in found} == {True, False}
    assert not forked._inherited


@pytest.mark.parametrize(("count", "threads"), [(FEWEST - 1, 1), (FEWEST + 1, 2)])
def test_few_items_or_threads_stay_here(count: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    assert set(forked_map(lambda item: os.getpid(), range(count))) == {os.getpid()}


@linux_with_cores
def test_a_copy_that_is_ended_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    here = os.getpid()

    def work(item: int) -> int:
        if item == 40 and os.getpid() != here:
            os._exit(9)
        return -item

    assert list(forked_map(work, ITEMS)) == [-item for item in ITEMS]


@linux_with_cores
def test_an_error_arrives_and_a_half_read_map_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    with pytest.raises(ZeroDivisionError):
        list(forked_map(lambda item: 1 // (item - 50), ITEMS))
    results = forked_map(lambda item: item, ITEMS)
    assert list(islice(results, 20)) == ITEMS[:20]
    results.close()  # type: ignore[attr-defined]
    assert not forked._inherited
