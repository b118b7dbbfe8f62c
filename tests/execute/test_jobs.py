"""What is tried again and what is recorded, for every outcome that an attempt can have."""

from collections.abc import Mapping, Sequence

import pytest
from faulty import trained
from faulty_jobs import candidate, job, statuses

from kdzero_gp.evaluate.candidate import Candidate, FullTraining
from kdzero_gp.execute.attempt import Fault
from kdzero_gp.execute.jobs import Attempt, JobQueue
from kdzero_gp.execute.protocol import AnyJob, FullGroupJob, FullJob, Result, ScreenJob, TrainJob
from kdzero_gp.store.record import Evaluation

DIED = Fault("worker_lost", 1.5, "ended by signal 9")
LATE = Fault("timeout", 1.5, "took longer than 3 s")
SHORT = Fault("oom", 1.5, "MemoryError: 3 TB")
RAISED = Fault("error", 1.5, "ZeroDivisionError")
Script = Mapping[str, Sequence[Fault | str]]


def name(attempt: Attempt) -> str:
    match attempt.job:
        case TrainJob(candidates) | FullGroupJob(candidates):
            return " & ".join(str(each.tree) for each in candidates)
        case ScreenJob(tree):
            return tree
        case FullJob(single):
            return str(single.tree)


def play(queue: JobQueue, script: Script) -> list[tuple[str, bool]]:
    """Answers every attempt by its next line of the script, or by a good result; returns attempts with their `free`."""
    lines = {key: list(values) for key, values in script.items()}
    log = []
    while (attempt := queue.take()) is not None:
        log.append((name(attempt), attempt.free))
        left = lines.get(name(attempt))
        line = left.pop(0) if left else "ok"
        queue.settle(attempt, line if isinstance(line, Fault) else good(attempt.job, line))
    assert not any(lines.values()), "all of the script was played"
    return log


def good(done: AnyJob, line: str) -> Result:
    """One word per candidate: ok or oom."""
    match done:
        case TrainJob(candidates, rung):
            words = line.split() * (len(candidates) if " " not in line else 1)
            return tuple(trained(e, rung, word) for e, word in zip(candidates, words, strict=True))  # type: ignore[arg-type]
        case FullJob():
            return FullTraining({"accuracy": 0.5}, 1.0, None)
        case ScreenJob(tree):
            return trained(candidate(tree), 0, line)  # type: ignore[arg-type]


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
    queue = JobQueue(attempts=2)
    ticket = queue.add(job("a", "b", "c", rung=1))
    played = play(queue, script)
    assert [tree + "!" * free for tree, free in played] == log
    ((answered, results),) = queue.finished
    assert answered == ticket
    assert statuses(results) == expected.split()
    for place, tree in enumerate("abc"):
        if expected.split()[place] == "ok":
            assert results[place] == trained(candidate(tree), 1)  # type: ignore[index]
        else:
            assert results[place].state is None  # type: ignore[index]
    assert (queue.open, queue.waiting) == (0, 0)


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_worker_may_die_so_often_and_no_more(attempts: int) -> None:
    queue = JobQueue(attempts)
    queue.add(job("a"))
    assert play(queue, {"a": [DIED] * attempts}) == [("a", False)] * attempts
    ((_, (lost,)),) = queue.finished  # type: ignore[misc]
    assert (lost.status, lost.seconds) == ("worker_lost", 1.5)
    assert lost.error == f"ended by signal 9\nthe worker died {attempts} times on this job"
    assert lost.fingerprint == "print of a", "what the screening found is not lost"


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
    queue = JobQueue(attempts=2)
    queue.add(ScreenJob("tree"))
    assert len(play(queue, {"tree": script})) == tried
    ((_, result),) = queue.finished
    assert isinstance(result, Evaluation)
    assert result.status == status


@pytest.mark.parametrize(("fault", "tried"), [(DIED, 2), (LATE, 1), (RAISED, 1), (SHORT, 2)])
def test_a_full_training(fault: Fault, tried: int) -> None:
    queue = JobQueue(attempts=2)
    queue.add(FullJob(Candidate("a"), 0, "val"))
    assert len(play(queue, {"a": [fault] * tried})) == tried
    ((_, result),) = queue.finished
    assert isinstance(result, FullTraining)
    assert (result.parts, result.seconds) == (None, 1.5)
    assert (result.error or "").startswith(fault.message)


def test_what_is_tried_again_comes_before_what_was_asked_later() -> None:
    queue = JobQueue(attempts=2)
    for tree in "xyz":
        queue.add(job(tree))
    assert [tree for tree, _ in play(queue, {"x": [DIED]})] == ["x", "x", "y", "z"]
    assert [ticket for ticket, _ in queue.finished] == [0, 1, 2]


def test_outcomes_of_forgotten_jobs_are_dropped() -> None:
    queue = JobQueue(attempts=2)
    for tree in "xyz":
        queue.add(job(tree))
    running = queue.take()
    assert running is not None
    queue.forget([0, 2])
    queue.settle(running, DIED)
    assert [tree for tree, _ in play(queue, {})] == ["y"]
    assert [ticket for ticket, _ in queue.finished] == [1]
    assert queue.add(job("new")) == 3
