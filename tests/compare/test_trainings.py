"""What is trained, in which groups, and what becomes of groups that fail, with an executor made by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.compare.entries import Entry, make_entries
from kdzero_gp.compare.folder import ComparisonFolder
from kdzero_gp.compare.trainings import Nobody, missing_groups, stored_trainings, train_missing
from kdzero_gp.evaluate.candidate import Candidate, FullTraining, FullTrainings
from kdzero_gp.execute.protocol import AnyJob, FullGroupJob, FullJob, Result

ENTRIES = make_entries(["none", "kd", "at", "sp", "same=kd"], ("stage1", "stage2", "stage3"))


class ByHand:
    """Finishes jobs last first; groups with a number of `lost` lose their worker."""

    workers = 1

    def __init__(self, lost: Sequence[int] = ()) -> None:
        self.lost = lost
        self.jobs: list[AnyJob] = []

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        self.jobs += jobs
        for position in reversed(range(len(jobs))):
            yield position, self._result(jobs[position])

    def submit(self, job: AnyJob) -> int:
        raise NotImplementedError

    def wait(self) -> tuple[int, Result]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing."""

    def _result(self, job: AnyJob) -> Result:
        if isinstance(job, FullGroupJob):
            gone = job.number in self.lost
            return FullTrainings(tuple(full(e, job.number, "worker lost" if gone else None) for e in job.candidates))
        assert isinstance(job, FullJob)
        return full(job.candidate, job.number, None)


def full(candidate: Candidate, number: int, error: str | None) -> FullTraining:
    """An accuracy that tells whose it is."""
    own = {entry.candidate: place for place, entry in enumerate(ENTRIES[:4])}[candidate]
    return FullTraining(None if error else {"accuracy": 0.1 * own + 0.01 * number}, 1.0, error)


def check(folder: ComparisonFolder, results: Any, seeds: int) -> None:
    assert len(results) == 4 * seeds
    for place, entry in enumerate(ENTRIES[:4]):
        for number in range(seeds):
            assert results[entry.key, number].part("accuracy") == pytest.approx(0.1 * place + 0.01 * number)
            assert folder.result(entry, number) == results[entry.key, number]


@pytest.mark.parametrize(("together", "sizes"), [(1, [1] * 8), (2, [2] * 4), (3, [3, 1] * 2), (9, [4, 4])])
def test_each_training_is_done_once_and_kept(tmp_path: Path, together: int, sizes: list[int]) -> None:
    executor = ByHand()
    with ComparisonFolder(tmp_path, {"a": 1}) as folder:
        results = train_missing(ENTRIES, range(2), {}, folder, executor, Nobody(), together=together)
        check(folder, results, 2)
    assert [len(job.candidates) if isinstance(job, FullGroupJob) else 1 for job in executor.jobs] == sizes
    numbers = [job.number for job in executor.jobs if isinstance(job, FullJob | FullGroupJob)]
    assert numbers == sorted(numbers), "whole seeds first"


def test_what_is_stored_is_not_trained_again(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path, {"a": 1}) as folder:
        train_missing(ENTRIES[:3], range(1), {}, folder, ByHand(), Nobody())
        stored = stored_trainings(folder, ENTRIES, range(2), retry_failed=False)
        assert len(stored) == 3
        executor = ByHand()
        check(folder, train_missing(ENTRIES, range(2), stored, folder, executor, Nobody(), together=2), 2)
    assert executor.jobs[0] == FullJob(ENTRIES[3].candidate, 0, "test")
    assert len(executor.jobs) == 3


def test_a_group_that_lost_its_worker_is_trained_one_by_one(tmp_path: Path) -> None:
    executor = ByHand(lost=[1])
    with ComparisonFolder(tmp_path, {"a": 1}) as folder:
        check(folder, train_missing(ENTRIES, range(2), {}, folder, executor, Nobody(), together=4), 2)
    assert [type(job) for job in executor.jobs] == [FullGroupJob] * 2 + [FullJob] * 4


def test_groups_do_not_depend_on_what_is_stored(result: Any) -> None:
    def labels(stored: Any) -> list[list[str]]:
        return [[entry.label for entry in group] for group, _ in missing_groups(ENTRIES, [0], stored, 2)]

    assert labels({}) == [["none", "kd"], ["at", "sp"]]
    first: Entry = ENTRIES[0]
    assert labels({(first.key, 0): result(0.5)}) == [["kd"], ["at", "sp"]]
