"""The second look at the leaders: by validation, resumable, and honest about failures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.evaluate.candidate import FullTraining
from kdzero_gp.evaluate.fitness import relative
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.reassess import reassess
from kdzero_gp.evolve.selection import Tournament
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Proposal

TEXTS = ["weight(1, l2(stage1))", "weight(1, l1(stage1))", "weight(1, kl(logits, 4))", "weight(1, l2(pool))"]
CE = dict(zip([None, *TEXTS], [1.0, 0.9, 0.5, 0.7, 0.1], strict=True))


class Trainings:
    """Full trainings whose cross-entropy is written above; seed 1 is a little worse than seed 0."""

    def __init__(self, failing: str | None = "", stop_after: int | None = None) -> None:
        self.failing = failing
        self.stop_after = stop_after
        self.done: list[Any] = []

    def run(self, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for index, job in enumerate(jobs):
            if len(self.done) == self.stop_after:
                raise InterruptedError
            self.done.append(job)
            if job.candidate.tree == self.failing and job.number == 1:
                yield index, FullTraining(None, 0.5, "by design")
            else:
                ce = CE[job.candidate.tree] + 0.1 * job.number
                yield index, FullTraining({"ce": ce, "cka_gap": 0.5, "accuracy": 0.9}, 0.5, None)

    def close(self) -> None:
        pass


@pytest.fixture
def found(laboratory: Any) -> list[Individual]:
    return [
        Individual.of(
            Proposal(number, 0, "evolve", "random", (), text, text, 0),
            laboratory.evaluation("ok", fitness=number + 1),
            Tournament,
        )
        for number, text in enumerate(TEXTS)
    ]


def look(
    folder: Path, found: list[Individual], executor: Trainings, count: int = 3, seeds: int = 2
) -> list[Individual]:
    opened = RunStore.resume(folder) if folder.exists() else RunStore.create(folder, {})
    with opened as store:
        return reassess("evolve", found, count, seeds, executor, store, relative, done=lambda name, number: None)


def texts(leaders: list[Individual]) -> list[str]:
    return [str(leader.tree) for leader in leaders]


def test_leaders_are_ranked_by_the_mean_of_full_trainings(tmp_path: Path, found: list[Individual]) -> None:
    executor = Trainings()
    leaders = look(tmp_path / "run", found, executor)
    assert texts(leaders) == [TEXTS[1], TEXTS[2], TEXTS[0]], "the fourth was no leader"
    assert [leader.full_fitness for leader in leaders] == pytest.approx(
        [0.55 / 1.05 + 1, 0.75 / 1.05 + 1, 0.95 / 1.05 + 1]
    )
    assert {job.split for job in executor.done} == {"val"}
    assert len(executor.done) == (3 + 1) * 2


def test_without_seeds_the_order_of_the_search_stays(tmp_path: Path, found: list[Individual]) -> None:
    executor = Trainings()
    leaders = look(tmp_path / "run", found, executor, seeds=0)
    assert texts(leaders) == TEXTS[:3]
    assert [leader.full_fitness for leader in leaders] == [1, 2, 3]
    assert executor.done == []


def test_a_leader_that_fails_once_is_none(tmp_path: Path, found: list[Individual]) -> None:
    assert texts(look(tmp_path / "run", found, Trainings(failing=TEXTS[1]))) == [TEXTS[2], TEXTS[0]]


def test_resumed_it_repeats_no_stored_training(tmp_path: Path, found: list[Individual]) -> None:
    whole = look(tmp_path / "whole", found, Trainings())
    for stop in range(8):
        folder = tmp_path / f"broken {stop}"
        first, second = Trainings(stop_after=stop), Trainings()
        with pytest.raises(InterruptedError):
            look(folder, found, first)
        leaders = look(folder, found, second)
        assert [(str(x.tree), x.full_fitness) for x in leaders] == [(str(x.tree), x.full_fitness) for x in whole]
        assert len(first.done) + len(second.done) == 8
