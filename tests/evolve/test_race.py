"""Races: who is let go on, from which state, and that a race broken off anywhere ends as if it had not been."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.race import even_groups
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.store import RunStore

LADDER = Ladder((2, 5, 14), eta=3)


def settings(**changes: Any) -> SearchSettings:
    return SearchSettings(**({"population": 7, "generations": 3, "seed": 2, "elites": 2, "ladder": LADDER} | changes))


def by_generation(run: Any) -> dict[int, dict[int, list[tuple[Any, Any]]]]:
    """Records of trainings by generation and rung."""
    table: dict[int, dict[int, list[tuple[Any, Any]]]] = defaultdict(lambda: defaultdict(list))
    for proposal, evaluation in run.records:
        if evaluation.status != "rejected" and evaluation.fingerprint is not None:
            table[proposal.generation][proposal.rung].append((proposal, evaluation))
    return table


@pytest.mark.parametrize(
    ("steps", "rungs", "eta", "ends"), [(240, 3, 3, (27, 80, 240)), (9, 1, 3, (9,)), (8, 4, 2, (1, 2, 4, 8))]
)
def test_each_rung_is_a_fraction_of_the_next(steps: int, rungs: int, eta: int, ends: tuple[int, ...]) -> None:
    assert Ladder.of(steps, rungs, eta).ends == ends


def test_too_many_rungs_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--rungs 4 with --eta 3 would end at steps 1, 1, 2, 6 of 6; take fewer"):
        Ladder.of(6, 4, 3)


@pytest.mark.parametrize("troubled", [True, False])
@pytest.mark.parametrize("fuse", [1, 3])
def test_the_best_third_of_each_rung_goes_on(laboratory: Any, troubled: bool, fuse: int) -> None:
    run = laboratory.run(settings(fuse=fuse), executor=laboratory.Executor(troubled=troubled))
    table = by_generation(run)
    assert len(table) == 4
    for rungs in table.values():
        assert len(rungs[0]) == 7
        for rung in (0, 1):
            finished = [(e.fitness, p) for p, e in rungs[rung] if e.status == "ok"]
            finished.sort(key=lambda both: both[0])
            wanted = -(-len(finished) // 3)
            assert {p.number for _, p in finished[:wanted]} == {p.number for p, _ in rungs[rung + 1]}
    assert max(len(group) for group in run.executor.groups) == fuse


def test_a_student_goes_on_from_where_it_stopped(laboratory: Any) -> None:
    run = laboratory.run(settings())
    assert {rung for _, rung, _ in run.executor.trainings} == {0, 1, 2}
    for key, rung, state in run.executor.trainings:
        assert state == (f"{key} at {rung - 1}".encode() if rung else None)
    with RunStore.read(laboratory.folder / "run") as store:
        assert all(store.state("evolve", number, rung) is None for number in range(60) for rung in range(3))


def test_a_higher_rung_is_better_whatever_the_fitness(laboratory: Any) -> None:
    run = laboratory.run(settings())
    assert [i.rung for i in run.found] == sorted((i.rung for i in run.found), reverse=True)
    highest: dict[int, int] = {}
    for proposal, evaluation in run.records:
        if evaluation.status == "ok":
            highest[proposal.number] = proposal.rung
    assert {i.proposal.number: i.rung for i in run.found} == highest
    assert max(i.value for i in run.found if i.rung == 2) > min(i.value for i in run.found if i.rung == 0)


def test_the_steps_that_were_spent_and_avoided_are_reported(laboratory: Any) -> None:
    run = laboratory.run(settings(), executor=laboratory.Executor(troubled=False))
    for stats in run.recorder.stats:
        assert [rung["finished"] for rung in stats["rungs"]] == [7, 3, 1]
        assert stats["steps"] == 9 * (7 + 3 + 1)
        assert stats["avoided"] == pytest.approx(1 - 99 / (7 * 14))
        assert stats["funnel"]["rung 1"] == 3
        assert stats["funnel"]["rung 2"] == 1


@pytest.mark.parametrize(
    ("arm", "selection"), [("evolve", "tournament"), ("evolve", "nsga2"), ("random", "tournament")]
)
@pytest.mark.parametrize("fuse", [1, 2])
def test_broken_off_at_any_result_it_ends_the_same(laboratory: Any, arm: str, selection: str, fuse: int) -> None:
    chosen = settings(population=4, generations=1, selection=selection, fuse=fuse)
    whole = laboratory.run(chosen, arm=arm)
    counts = Counter(p.rung for p, _ in whole.records)
    assert counts[2] >= 1
    for stop in range(whole.executor.given):
        name = f"broken {stop}"
        with pytest.raises(laboratory.StoppedError):
            laboratory.run(chosen, arm=arm, name=name, executor=laboratory.Executor(stop, shuffle=True))
        resumed = laboratory.run(chosen, arm=arm, name=name)
        assert resumed.history == whole.history
        assert resumed.generations == whole.generations
        assert set(resumed.executor.groups) <= set(whole.executor.groups)
        assert set(resumed.executor.trainings) <= set(whole.executor.trainings)


@pytest.mark.parametrize(
    ("count", "most", "sizes"), [(20, 5, [5, 5, 5, 5]), (7, 5, [3, 4]), (7, 1, [1] * 7), (3, 8, [3]), (0, 4, [])]
)
def test_groups_are_even(count: int, most: int, sizes: list[int]) -> None:
    groups = even_groups(count, most)
    assert [len(group) for group in groups] == sizes
    assert [number for group in groups for number in group] == list(range(count))
