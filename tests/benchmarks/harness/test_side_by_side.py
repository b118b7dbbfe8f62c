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


def in_a_command() -> None:
    """Stands for a function that a package's command defines."""


@pytest.mark.parametrize("module", ["__main__", "benchmarks.toy.__main__"])
def test_what_no_worker_can_import_is_refused(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_a_command, "__module__", module)
    with pytest.raises(ValueError, match=f"in_a_command stands in {module}"):
        side_by_side(in_a_command, [()], 1)
