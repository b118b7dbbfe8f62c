"""The one executor that has to end what hangs without killing it."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from faulty import FaultyEvaluator, trained
from faulty_jobs import FaultyDeadlines, candidate, job

from kdzero_gp.execute.executors.inprocess import InProcess, deadline
from kdzero_gp.loops.single import DeadlineError

SHORT = FaultyDeadlines(training=0.05, grace=0.1)


def executor(notes: Path) -> InProcess:
    evaluator: Any = FaultyEvaluator(notes)
    return InProcess(evaluator, deadlines=SHORT)


def test_python_that_hangs_times_out(tmp_path: Path) -> None:
    results: Any = dict(executor(tmp_path).run([job("hang"), job("ok a")]))
    assert results[0][0].status == "timeout"
    assert results[0][0].error == "took longer than 0.2 s"
    assert results[1] == (trained(candidate("ok a"), 0),)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_interrupted_job_is_done_when_it_is_waited_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = executor(tmp_path)
    one.submit(job("ok a"))
    with monkeypatch.context() as patch:
        patch.setattr(FaultyEvaluator, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one.wait()
    assert one.wait() == (0, (trained(candidate("ok a"), 0),))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_alarm_is_left_to_a_program_that_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    try:
        with deadline(0.01):
            time.sleep(0.05)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rang == []


def test_a_thread_has_no_alarm() -> None:
    outcome = []

    def work() -> None:
        with deadline(0.01):
            time.sleep(0.05)
        outcome.append("in peace")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcome == ["in peace"]


def test_the_alarm_rings_inside_the_block_alone() -> None:
    with deadline(0.02):
        pass
    time.sleep(0.05)
    with pytest.raises(DeadlineError, match=r"took longer than 0\.02 s"), deadline(0.02):
        time.sleep(1)
