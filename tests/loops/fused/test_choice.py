"""The choice follows its measurements, stops where more students no longer help, and says why."""

import pytest

from kdzero_gp.loops.fused import choice as fused_choice
from kdzero_gp.loops.fused.choice import FuseChoice, choose_fuse, sound_trees
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.single import Training
from kdzero_gp.tasks.task import Task


def pretend(monkeypatch: pytest.MonkeyPatch, gains: dict[tuple[str, int], float]) -> list[tuple[str, int]]:
    """Steps take as long as said: one second alone, and so many times less together."""
    asked: list[tuple[str, int]] = []

    def seconds(task: Task, training: Training | FusedTraining) -> float:
        if isinstance(training, Training):
            return 1.0
        way = "grouped" if type(training.stack).__name__ == "GroupedStack" else "vmap"
        entrant = way, training.stack.count
        if entrant not in asked:
            asked.append(entrant)
        gain = gains.get(entrant, 0.1)
        if gain == 0:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return training.stack.count / gain

    monkeypatch.setattr(fused_choice, "_step_seconds", seconds)
    return asked


def test_the_fastest_is_chosen(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    gains = {("grouped", 2): 1.5, ("grouped", 4): 1.9, ("grouped", 8): 1.4, ("vmap", 2): 1.2, ("vmap", 4): 1.3}
    asked = pretend(monkeypatch, gains)
    choice = choose_fuse(task, most=16)
    assert (choice.students, choice.way) == (4, "grouped")
    assert "4 grouped 1.90" in choice.reason
    assert ("grouped", 16) not in asked
    assert ("vmap", 16) not in asked


def test_students_stay_alone_where_the_gain_is_no_more_than_noise(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {("grouped", 2): 1.04, ("vmap", 2): 0.5})
    choice = choose_fuse(task)
    assert (choice.students, choice.way) == (1, None)
    assert "not worth it" in choice.reason


def test_exhausted_memory_ends_a_way(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {("grouped", 2): 1.5, ("grouped", 4): 0.0, ("vmap", 2): 1.2})
    choice = choose_fuse(task)
    assert (choice.students, choice.way) == (2, "grouped")
    assert "4 students: RuntimeError: DefaultCPUAllocator" in choice.reason


def test_no_more_than_allowed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {("grouped", 2): 1.5, ("grouped", 4): 3.0})
    assert choose_fuse(task, most=3).students == 2
    assert choose_fuse(task, most=1).students == 1


def test_a_student_that_cannot_be_stacked_stays_alone(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_choice, "refusal", lambda task, way: f"{way} does not fit")
    choice = choose_fuse(task)
    assert (choice.students, choice.way) == (1, None)
    assert "grouped does not fit" in choice.reason


def test_real_measurements_give_an_answer(task: Task) -> None:
    choice = choose_fuse(task, most=2)
    assert isinstance(choice, FuseChoice)
    assert choice.students in (1, 2)
    assert (choice.way is None) == (choice.students == 1)
    assert "ms" in choice.reason


def test_the_distillers_are_those_of_the_seed(task: Task) -> None:
    assert sound_trees(task, 4, 7) == sound_trees(task, 6, 7)[:4]
    assert sound_trees(task, 4, 7) != sound_trees(task, 4, 8)
