"""What kills or hangs a worker, really done: it costs its own candidate the result, and nobody else anything.

Every death means another worker to start, which takes seconds; so the cases share what they can, and the rules of what
is tried again are tested without workers in `test_jobs.py`.
"""

from pathlib import Path

import pytest
from faulty import trained
from faulty_jobs import attempts, candidate, error, job, statuses

from kdzero_gp.evaluate.candidate import Candidate, FullTraining
from kdzero_gp.execute.protocol import Executor, FullJob

WORKERS = pytest.mark.parametrize("noted", ["2", "ray"], indirect=True)


@pytest.mark.parametrize(("noted", "poison"), [("2", "segfault"), ("ray", "die")], indirect=["noted"])
def test_candidates_that_kill_or_hang_their_worker_are_lost_alone(executor: Executor, notes: Path, poison: str) -> None:
    trees = ("ok a", poison, "ok b", "die-once", "ok c")
    results = dict(executor.run([job(tree) for tree in trees]))
    assert [statuses(results[i]) for i in range(5)] == [["ok"], ["worker_lost"], ["ok"], ["ok"], ["ok"]]
    for place in (0, 2, 3, 4):
        assert results[place] == (trained(candidate(trees[place]), 0),), "as if nothing had happened"
    (lost,) = results[1]  # type: ignore[misc]
    assert error(lost).splitlines()[-1] == "the worker died 2 times on this job"
    assert (lost.fingerprint, lost.calibration) == (f"print of {poison}", (2.0,))
    assert sorted(attempts(notes)) == sorted([*trees, poison, "die-once"])


@pytest.mark.parametrize(("noted", "hang"), [("2", "spin"), ("ray", "hang")], indirect=["noted"])
def test_candidates_that_hang_time_out(executor: Executor, hang: str) -> None:
    """Also where compiled code keeps all of Python from running."""
    results = dict(executor.run([job(hang), job("ok a"), job("ok b")]))
    assert [statuses(results[i]) for i in range(3)] == [["timeout"], ["ok"], ["ok"]]
    assert error(results[0][0]) == "took longer than 2.5 s"  # type: ignore[index]


@pytest.mark.parametrize("noted", ["2"], indirect=True)
def test_a_full_training_that_hangs_is_given_up(executor: Executor) -> None:
    ((_, result),) = executor.run([FullJob(Candidate("hang"), 0, "val")])
    assert isinstance(result, FullTraining)
    assert (result.parts, result.error) == (None, "took longer than 1.5 s")


@WORKERS
def test_closed_amid_work_it_ends_at_once_and_can_be_used_again(executor: Executor) -> None:
    for _ in range(executor.workers + 1):
        executor.submit(job("sleep 0.01"))
    executor.submit(job("sleep 1000"))
    executor.wait()
    executor.close()
    assert dict(executor.run([job("ok a")])) == {0: (trained(candidate("ok a"), 0),)}
