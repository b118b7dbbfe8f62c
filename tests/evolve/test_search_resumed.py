"""A search that breaks down anywhere and is run again ends as if nothing had happened."""

from typing import Any

import pytest

from kdzero_gp import parse
from kdzero_gp.evolve.settings import SearchSettings

KINDS = [("evolve", "tournament"), ("evolve", "nsga2"), ("random", "tournament")]


def settings(selection: Any) -> SearchSettings:
    return SearchSettings(population=3, generations=2, seed=2, elites=1, selection=selection)


@pytest.mark.parametrize(("arm", "selection"), KINDS)
def test_broken_off_at_any_result_and_resumed_it_is_the_same_run(laboratory: Any, arm: str, selection: str) -> None:
    seeds = [parse("weight(1, kl(logits, 4))")] if arm == "evolve" else []
    whole = laboratory.run(settings(selection), arm=arm, seeds=seeds)
    results = whole.executor.given
    assert results > 16
    for stop in range(results):
        name = f"broken {stop}"
        with pytest.raises(laboratory.StoppedError):
            laboratory.run(
                settings(selection), arm=arm, seeds=seeds, name=name, executor=laboratory.Executor(stop, shuffle=True)
            )
        resumed = laboratory.run(settings(selection), arm=arm, seeds=seeds, name=name)
        assert resumed.history == whole.history
        assert resumed.generations == whole.generations
        assert [str(i.tree) for i in resumed.found] == [str(i.tree) for i in whole.found]


def test_broken_off_again_and_again_it_still_gets_there(laboratory: Any) -> None:
    whole = laboratory.run(settings("tournament"))
    for _ in range(200):
        try:
            resumed = laboratory.run(settings("tournament"), name="broken", executor=laboratory.Executor(5))
        except laboratory.StoppedError:
            continue
        assert resumed.history == whole.history
        return
    pytest.fail("it makes no progress")


def test_no_stored_training_is_repeated(laboratory: Any) -> None:
    whole = laboratory.run(settings("tournament"))
    for stop in (4, 9, 15):
        first, second = laboratory.Executor(stop), laboratory.Executor()
        with pytest.raises(laboratory.StoppedError):
            laboratory.run(settings("tournament"), name=str(stop), executor=first)
        resumed = laboratory.run(settings("tournament"), name=str(stop), executor=second)
        assert len(first.trainings) + len(second.trainings) == len(whole.executor.trainings)
        assert not set(first.trainings) & set(second.trainings)
        stored = [p.number for p, _, fresh in resumed.recorder.seen if not fresh]
        assert len(stored) >= len(first.trainings)


def test_running_a_whole_search_again_evaluates_nothing(laboratory: Any) -> None:
    whole = laboratory.run(settings("tournament"))
    again = laboratory.run(settings("tournament"), executor=laboratory.Executor(10**9))
    assert again.executor.trainings == []
    assert again.history == whole.history
