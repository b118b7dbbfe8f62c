"""What is tried again and what is recorded, for every outcome that a task can have."""

from collections.abc import Mapping, Sequence

import pytest
from faulty import trained
from faulty_jobs import entry, job, statuses

from kdzero_gp.evaluate.full import Entrant, FullResult
from kdzero_gp.execute.attempt import Fault
from kdzero_gp.execute.jobs import Desk, Task
from kdzero_gp.execute.protocol import AnyJob, FullJob, Result, ScreenJob, TrainJob
from kdzero_gp.store.record import Evaluation

DIED = Fault("worker_lost", 1.5, "ended by signal 9")
LATE = Fault("timeout", 1.5, "took longer than 3 s")
SHORT = Fault("oom", 1.5, "MemoryError: 3 TB")
RAISED = Fault("error", 1.5, "ZeroDivisionError")
Script = Mapping[str, Sequence[Fault | str]]


def name(task: Task) -> str:
    match task.job:
        case TrainJob(entries):
            return " & ".join(e.tree for e in entries)
        case ScreenJob(tree):
            return tree
        case FullJob(entrant):
            return str(entrant.tree)


def play(desk: Desk, script: Script) -> list[tuple[str, bool]]:
    """Answers every task by its next line of the script, or by a good result; returns tasks with their `free`."""
    lines = {key: list(values) for key, values in script.items()}
    log = []
    while (task := desk.take()) is not None:
        log.append((name(task), task.free))
        left = lines.get(name(task))
        line = left.pop(0) if left else "ok"
        desk.settle(task, line if isinstance(line, Fault) else good(task.job, line))
    assert not any(lines.values()), "all of the script was played"
    return log


def good(done: AnyJob, line: str) -> Result:
    """One word per entry: ok or oom."""
    match done:
        case TrainJob(entries, rung):
            words = line.split() * (len(entries) if " " not in line else 1)
            return tuple(trained(e, rung, word) for e, word in zip(entries, words, strict=True))  # type: ignore[arg-type]
        case FullJob():
            return FullResult({"accuracy": 0.5}, 1.0, None)
        case ScreenJob(tree):
            return trained(entry(tree), 0, line).evaluation  # type: ignore[arg-type]


TOGETHER = "a & b & c"


@pytest.mark.parametrize(
    ("script", "expected", "log"),
    [
        ({}, "ok ok ok", [TOGETHER]),
        ({TOGETHER: [DIED]}, "ok ok ok", [TOGETHER, TOGETHER]),
        ({TOGETHER: [DIED, DIED]}, "ok ok ok", [TOGETHER, TOGETHER, "a", "b", "c"]),
        (
            {TOGETHER: [DIED, DIED], "b": [DIED, DIED]},
            "ok worker_lost ok",
            [TOGETHER, TOGETHER, "a", "b", "b", "c"],
        ),
        ({TOGETHER: [DIED, DIED], "b": [DIED]}, "ok ok ok", [TOGETHER, TOGETHER, "a", "b", "b", "c"]),
        ({TOGETHER: [LATE], "c": [LATE]}, "ok ok timeout", [TOGETHER, "a", "b", "c"]),
        ({TOGETHER: [RAISED], "a": [RAISED]}, "error ok ok", [TOGETHER, "a", "b", "c"]),
        ({TOGETHER: [SHORT], "a": [SHORT]}, "ok ok ok", [TOGETHER, "a", "a!", "b", "c"]),
        ({TOGETHER: [SHORT], "a": [SHORT, SHORT]}, "oom ok ok", [TOGETHER, "a", "a!", "b", "c"]),
        ({TOGETHER: ["ok oom ok"]}, "ok ok ok", [TOGETHER, "b"]),
        ({TOGETHER: ["oom ok oom"], "a": ["oom"]}, "ok ok ok", [TOGETHER, "a", "a!", "c"]),
        ({TOGETHER: ["oom ok oom"], "c": ["oom", "oom"]}, "ok ok oom", [TOGETHER, "a", "c", "c!"]),
        ({TOGETHER: [SHORT], "a": [SHORT, DIED, DIED]}, "worker_lost ok ok", [TOGETHER, "a", "a!", "a!", "b", "c"]),
    ],
)
def test_candidates_trained_together(script: Script, expected: str, log: list[str]) -> None:
    desk = Desk(attempts=2)
    ticket = desk.add(job("a", "b", "c", rung=1))
    played = play(desk, script)
    assert [tree + "!" * free for tree, free in played] == log
    ((answered, results),) = desk.finished
    assert answered == ticket
    assert statuses(results) == expected.split()
    for place, tree in enumerate("abc"):
        if expected.split()[place] == "ok":
            assert results[place] == trained(entry(tree), 1)  # type: ignore[index]
        else:
            assert results[place].state is None  # type: ignore[index]
    assert (desk.open, desk.waiting) == (0, 0)


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_worker_may_die_so_often_and_no_more(attempts: int) -> None:
    desk = Desk(attempts)
    desk.add(job("a"))
    assert play(desk, {"a": [DIED] * attempts}) == [("a", False)] * attempts
    ((_, (lost,)),) = desk.finished  # type: ignore[misc]
    assert (lost.evaluation.status, lost.evaluation.seconds) == ("worker_lost", 1.5)
    assert lost.evaluation.error == f"ended by signal 9\nthe worker died {attempts} times on this job"
    assert lost.evaluation.fingerprint == "print of a", "what the screening found is not lost"


@pytest.mark.parametrize(
    ("script", "status", "tried"),
    [
        (["ok"], "ok", 1),
        (["oom"], "ok", 2),
        (["oom", "oom"], "oom", 2),
        ([DIED, DIED], "worker_lost", 2),
        ([SHORT, SHORT], "oom", 2),
        ([LATE], "timeout", 1),
        ([RAISED], "error", 1),
    ],
)
def test_a_screening(script: list[Fault | str], status: str, tried: int) -> None:
    desk = Desk(attempts=2)
    desk.add(ScreenJob("tree"))
    assert len(play(desk, {"tree": script})) == tried
    ((_, result),) = desk.finished
    assert isinstance(result, Evaluation)
    assert result.status == status


@pytest.mark.parametrize(("fault", "tried"), [(DIED, 2), (LATE, 1), (RAISED, 1), (SHORT, 2)])
def test_a_full_training(fault: Fault, tried: int) -> None:
    desk = Desk(attempts=2)
    desk.add(FullJob(Entrant("a"), 0, "val"))
    assert len(play(desk, {"a": [fault] * tried})) == tried
    ((_, result),) = desk.finished
    assert isinstance(result, FullResult)
    assert (result.parts, result.seconds) == (None, 1.5)
    assert (result.error or "").startswith(fault.message)


def test_what_is_tried_again_comes_before_what_was_asked_later() -> None:
    desk = Desk(attempts=2)
    for tree in "xyz":
        desk.add(job(tree))
    assert [tree for tree, _ in play(desk, {"x": [DIED]})] == ["x", "x", "y", "z"]
    assert [ticket for ticket, _ in desk.finished] == [0, 1, 2]


def test_outcomes_of_forgotten_jobs_are_dropped() -> None:
    desk = Desk(attempts=2)
    for tree in "xyz":
        desk.add(job(tree))
    running = desk.take()
    assert running is not None
    desk.forget([0, 2])
    desk.settle(running, DIED)
    assert [tree for tree, _ in play(desk, {})] == ["y"]
    assert [ticket for ticket, _ in desk.finished] == [1]
    assert desk.add(job("new")) == 3
