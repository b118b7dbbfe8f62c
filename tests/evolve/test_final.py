"""The final table: who stands where, and what its numbers mean."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t as student_t

from kdzero_gp.evaluate.full import Entrant, FullResult
from kdzero_gp.evolve.final import Contender, Row, run_final
from kdzero_gp.execute.protocol import FullJob
from kdzero_gp.store import RunStore

KD, BEST, WORST = "weight(0.9, kl(logits, 4))", "weight(1, l2(stage1))", "weight(1, l1(stage1))"
CONTENDERS = [
    Contender("evolved 1", "evolved", Entrant(WORST, (2.0,)), 1.5),
    Contender("random search", "random", Entrant(BEST, (3.0,)), 1.7),
    Contender("kd", "method", Entrant(KD, None, 0.1)),
    Contender("student alone", "alone", Entrant(None)),
]
ACCURACIES: dict[str | None, tuple[float | None, ...]] = {
    BEST: (0.95, 0.97, 0.93, 0.96),
    KD: (0.93, 0.94, 0.93, 0.92),
    WORST: (0.90, 0.85, 0.88, 0.80),
    None: (0.88, 0.87, 0.90, 0.86),
}


class Trainings:
    """An executor for full trainings with results written down beforehand, given in reverse order."""

    def __init__(self, accuracies: Mapping[str | None, Sequence[float | None]], stop_after: int | None = None) -> None:
        self.accuracies = accuracies
        self.stop_after = stop_after
        self.done: list[FullJob] = []

    def run(self, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for index in reversed(range(len(jobs))):
            if len(self.done) == self.stop_after:
                raise InterruptedError
            self.done.append(jobs[index])
            accuracy = self.accuracies[jobs[index].entrant.tree][jobs[index].number]
            failed = accuracy is None
            yield index, FullResult(None if failed else {"accuracy": accuracy}, 0.5, "by design" if failed else None)

    def close(self) -> None:
        pass


def table(folder: Path, executor: Trainings, seeds: int = 4, told: list[Any] | None = None) -> list[Row]:
    opened = RunStore.resume(folder) if folder.exists() else RunStore.create(folder, {})
    with opened as store:
        return run_final(
            CONTENDERS,
            seeds,
            executor,
            store,
            baseline="kd",
            quality="accuracy",
            done=lambda name, number: (told if told is not None else []).append((name, number)),
        )


def test_rows_stand_by_their_mean_whoever_comes_first(tmp_path: Path) -> None:
    rows = table(tmp_path / "run", Trainings(ACCURACIES))
    assert [row.name for row in rows] == ["random search", "kd", "student alone", "evolved 1"]
    for row in rows:
        expected = ACCURACIES[row.tree]
        assert row.accuracy == expected
        assert row.mean == pytest.approx(sum(expected) / 4)  # type: ignore[arg-type]
        spread = sum((a - row.mean) ** 2 for a in expected) / 3  # type: ignore[operator]
        assert row.std == pytest.approx(math.sqrt(spread))
        assert row.errors == ()
    by_name = {row.name: row for row in rows}
    assert by_name["evolved 1"].fitness == 1.5
    assert by_name["evolved 1"].calibration == (2.0,)
    assert by_name["kd"].ce_weight == 0.1


def test_gains_are_over_the_student_alone_and_tests_against_the_baseline(tmp_path: Path) -> None:
    rows = {row.name: row for row in table(tmp_path / "run", Trainings(ACCURACIES))}
    assert rows["student alone"].gain is None
    assert rows["kd"].p_value is None
    assert rows["kd"].gain == pytest.approx(0.93 - 0.8775)
    for name in ("random search", "evolved 1", "student alone"):
        differences = [a - b for a, b in zip(ACCURACIES[rows[name].tree], ACCURACIES[KD], strict=True)]  # type: ignore[operator]
        statistic = statistics.fmean(differences) / (statistics.stdev(differences) / 2)
        assert rows[name].p_value == pytest.approx(2 * student_t.sf(abs(statistic), 3))


def test_a_failed_training_leaves_a_gap_and_no_number(tmp_path: Path) -> None:
    accuracies = ACCURACIES | {BEST: (0.95, None, 0.93, 0.99), None: (0.88, 0.87, None, 0.86)}
    row = table(tmp_path / "run", Trainings(accuracies))[0]
    assert row.name == "random search"
    assert row.accuracy == (0.95, None, 0.93, 0.99)
    assert row.mean == pytest.approx((0.95 + 0.93 + 0.99) / 3)
    assert row.errors == ("by design",)
    assert row.gain == pytest.approx(((0.95 - 0.88) + (0.99 - 0.86)) / 2), "only seeds that both have"
    differences = [0.95 - 0.93, 0.93 - 0.93, 0.99 - 0.92]
    statistic = statistics.fmean(differences) / (statistics.stdev(differences) / math.sqrt(3))
    assert row.p_value == pytest.approx(2 * student_t.sf(abs(statistic), 2))


def test_a_row_that_failed_throughout_comes_last_without_numbers(tmp_path: Path) -> None:
    row = table(tmp_path / "run", Trainings(ACCURACIES | {BEST: (None,) * 4}))[-1]
    assert (row.name, row.mean, row.std, row.gain, row.p_value) == ("random search", None, None, None, None)
    assert len(row.errors) == 4


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_or_constant_differences_give_no_test(tmp_path: Path, seeds: int) -> None:
    accuracies = ACCURACIES | {BEST: tuple(a + 0.01 for a in ACCURACIES[KD])}  # type: ignore[operator]
    rows = {row.name: row for row in table(tmp_path / "run", Trainings(accuracies), seeds)}
    assert rows["random search"].p_value is None
    assert (rows["kd"].std is None) == (seeds == 1)


def test_every_training_is_on_the_test_split_with_a_seed_of_its_number(tmp_path: Path) -> None:
    executor = Trainings(ACCURACIES)
    told: list[Any] = []
    table(tmp_path / "run", executor, told=told)
    assert {job.split for job in executor.done} == {"test"}
    assert {(job.entrant, job.number) for job in executor.done} == {
        (contender.entrant, number) for contender in CONTENDERS for number in range(4)
    }
    assert sorted(told) == sorted((contender.name, number) for contender in CONTENDERS for number in range(4))


def test_resumed_it_repeats_no_stored_training(tmp_path: Path) -> None:
    whole = table(tmp_path / "whole", Trainings(ACCURACIES))
    for stop in range(16):
        folder = tmp_path / f"broken {stop}"
        first, second = Trainings(ACCURACIES, stop), Trainings(ACCURACIES)
        with pytest.raises(InterruptedError):
            table(folder, first)
        assert table(folder, second) == whole
        assert len(first.done) + len(second.done) == 16
        third = Trainings({})
        assert table(folder, third) == whole
        assert third.done == []


def test_a_stored_failure_is_not_tried_again(tmp_path: Path) -> None:
    accuracies = ACCURACIES | {BEST: (0.95, None, 0.93, 0.99)}
    first = table(tmp_path / "run", Trainings(accuracies))
    assert table(tmp_path / "run", Trainings({})) == first
