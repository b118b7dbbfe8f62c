"""Seconds by job, by hand."""

import pytest
from faulty_jobs import job

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import AnyJob, FullJob, ScreenJob


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (ScreenJob("x"), 17),
        (job("a"), 27),  # the student alone may have to be trained beside it
        (job("a", "b", "c"), 47),
        (FullJob(Candidate(None), 0, "val"), 107),
    ],
)
def test_seconds(asked: AnyJob, seconds: float) -> None:
    assert Deadlines(training=10, full=100, grace=7)(asked) == seconds


def test_full_trainings_may_take_their_time() -> None:
    assert Deadlines(training=10)(FullJob(Candidate(None), 0, "val")) is None
