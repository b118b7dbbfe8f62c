"""What every executor must do, over all of them, whatever the candidates do short of killing their process."""

import itertools
from pathlib import Path

import pytest
from faulty import trained
from faulty_jobs import attempts, candidate, error, job, only, statuses

from kdzero_gp.evaluate.candidate import Candidate, FullTraining
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute.protocol import Executor, FullJob, Result, ScreenJob, TrainJob
from kdzero_gp.execute.queued import ExecutorError
from kdzero_gp.grammar.parse import parse

TREES = ("weight(1, kl(logits, 4))", "weight(5, l2(stage2))")


JOBS = (
    *map(ScreenJob, TREES),
    job("ok a"),
    job("ok a", rung=1),
    TrainJob((candidate("ok a", b"a state"), candidate("ok b", b"another one"), candidate("ok c")), 2),
    job("sleep 0.05"),
    *(FullJob(Candidate("ok a"), number, "test") for number in range(3)),
)


def expected() -> list[Result]:
    """Of `JOBS`, by plain calls."""
    results: list[Result] = [Screening(None, (float(parse(tree).size),), f"print of {tree}") for tree in TREES]
    results += [tuple(trained(e, j.rung) for e in j.candidates) for j in JOBS if isinstance(j, TrainJob)]
    return results


def test_results_are_those_of_plain_calls_every_time_and_in_every_order(executor: Executor) -> None:
    first = dict(executor.run(JOBS))
    assert [first[i] for i in range(6)] == expected()
    full = [first[i] for i in range(6, 9)]
    assert all(isinstance(result, FullTraining) and result.error is None for result in full)
    assert len({str(result) for result in full}) == 3, "each number is a training of its own"
    backwards = dict(executor.run(JOBS[::-1]))
    assert [backwards[i] for i in reversed(range(9))] == [first[i] for i in range(9)]
    assert list(executor.run([])) == []


def test_tickets_are_dense_and_each_is_answered_once(executor: Executor) -> None:
    tickets = [executor.submit(job(f"ok {n}")) for n in range(5)]
    assert tickets == list(range(tickets[0], tickets[0] + 5))
    answers = dict(executor.wait() for _ in range(5))
    assert [answers[ticket] for ticket in tickets] == [(trained(candidate(f"ok {n}"), 0),) for n in range(5)]
    with pytest.raises(ExecutorError, match="no job to wait for; submit one first"):
        executor.wait()


def test_jobs_submitted_aside_are_kept_for_whoever_waits_for_them(executor: Executor) -> None:
    ticket = executor.submit(job("ok aside"))
    results = []
    for index, result in executor.run([job("ok 0"), job("ok 1")]):
        results.append((index, result))
    assert sorted(index for index, _ in results) == [0, 1]
    assert executor.wait() == (ticket, (trained(candidate("ok aside"), 0),))


def test_a_run_left_early_leaves_nothing_behind(executor: Executor) -> None:
    taken = list(itertools.islice(executor.run([job(f"ok {n}") for n in range(20)]), 2))
    assert len(taken) == 2
    assert dict(executor.run([job("ok now")])) == {0: (trained(candidate("ok now"), 0),)}
    with pytest.raises(ExecutorError):
        executor.wait()


@pytest.mark.parametrize(("word", "last_line"), [("raise", "ZeroDivisionError: by design"), ("exit", "SystemExit: 3")])
def test_what_a_candidate_raises_is_its_own_error(executor: Executor, word: str, last_line: str) -> None:
    (result,) = only(executor, word)
    assert result.status == "error"
    assert error(result).splitlines()[-1] == last_line


def test_the_last_words_of_a_failing_candidate_stand_above_its_traceback(executor: Executor) -> None:
    (result,) = only(executor, "raise")
    assert error(result).startswith("its last output:\nsaid before it failed\n\nTraceback")


def test_of_several_only_the_one_that_raises_fails(executor: Executor, notes: Path) -> None:
    results = only(executor, "ok a", "raise", "ok b")
    assert statuses(results) == ["ok", "error", "ok"]
    assert [results[0], results[2]] == [trained(candidate("ok a"), 0), trained(candidate("ok b"), 0)]
    assert sorted(attempts(notes)) == ["ok a", "ok a & raise & ok b", "ok b", "raise"]


def test_a_full_training_that_raises_has_no_parts(executor: Executor) -> None:
    ((_, result),) = executor.run([FullJob(Candidate("raise"), 0, "val")])
    assert isinstance(result, FullTraining)
    assert result.parts is None
    assert (result.error or "").endswith("ZeroDivisionError: by design\n")


@pytest.mark.parametrize("word", ["memory", "oom"])
def test_memory_that_does_not_suffice_twice_is_recorded(executor: Executor, notes: Path, word: str) -> None:
    """Be it raised, or reported by the evaluator."""
    (result,) = only(executor, word)
    assert result.status == "oom"
    assert attempts(notes) == [word, word]


def test_memory_that_suffices_the_second_time_is_no_failure(executor: Executor) -> None:
    assert only(executor, "memory-once") == (trained(candidate("memory-once"), 0),)


def test_what_does_not_fit_into_memory_together_is_trained_one_by_one(executor: Executor, notes: Path) -> None:
    results = only(executor, "ok a", "oom-together", "memory")
    assert statuses(results) == ["ok", "ok", "oom"]
    assert sorted(attempts(notes)) == ["memory", "memory", "ok a", "ok a & oom-together & memory", "oom-together"]
    (notes / "attempts").unlink()
    assert statuses(only(executor, "ok a", "oom-together", "ok b")) == ["ok"] * 3
    assert attempts(notes) == ["ok a & oom-together & ok b", "oom-together"], "what came through is not repeated"


def test_a_gigabyte_of_output_goes_nowhere(executor: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    assert statuses(only(executor, "flood")) == ["ok"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("noted", ["2", "ray"], indirect=True)
def test_a_gigabyte_past_python_goes_nowhere(executor: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    """Not in this process, whose output is its user's own."""
    assert statuses(only(executor, "flood-descriptors")) == ["ok"]
    assert capfd.readouterr() == ("", "")
