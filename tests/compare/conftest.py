"""Entries and results made by hand, and a folder of trained teachers."""

from collections.abc import Callable

import pytest

from kdzero_gp.compare.entries import Entry, make_entries
from kdzero_gp.evaluate.candidate import FullTraining

STAGES = ("stage1", "stage2", "stage3")


@pytest.fixture(autouse=True)
def _shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


@pytest.fixture
def entry() -> Callable[[str], Entry]:
    return lambda text: make_entries([text], STAGES)[0]


@pytest.fixture
def result() -> Callable[..., FullTraining]:
    def make(accuracy: float | None, *, top5: float = 0.9, seconds: float = 2.0) -> FullTraining:
        if accuracy is None:
            return FullTraining(None, seconds, "Traceback …\nDivergedError: the loss is nan after 3 of 9 steps\n")
        return FullTraining({"accuracy": accuracy, "top5": top5, "ce": 1.0}, seconds, None)

    return make
