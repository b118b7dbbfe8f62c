"""What every executor must do, over all of them; then what only worker processes can suffer."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.evaluate.evaluator import Entrant, FullResult
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute import processes
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.execute.processes import Processes, WorkerError
from kdzero_gp.execute.protocol import Executor, FullJob, Job
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.session.assemble import make_evaluator, make_worker_evaluator
from kdzero_gp.session.config import RunConfig, make_config
from kdzero_gp.store.record import Evaluation

TEXTS = (
    "weight(1, kl(logits, 4))",
    "weight(5, l2(stage2))",
    "weight(1, mine(logits))",
    "weight(1, l2(mask(stage1)))",
    "weight(1, faulty(logits))",
)
ENTRANTS = (Entrant(None), Entrant(TEXTS[0], None, 0.1), Entrant("weight(1, l2(stage9))"))
WORKERS = ["in process", 1, 2]


@pytest.fixture(scope="module")
def config(primitive_file: Path) -> RunConfig:
    return make_config(
        teacher="cnn4", limit=128, batch_size=32, epochs=1, proxy_epochs=1, seed=5, primitives=[str(primitive_file)]
    )


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    with active_registry().copy().active():
        yield


def make_executor(workers: Any, config: RunConfig) -> Executor:
    if workers == "in process":
        return InProcess(make_evaluator(config))
    return Processes(workers, partial(make_worker_evaluator, config))


def lasting(result: Any) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(result).items() if name not in ("seconds", "host", "error")}
    error = getattr(result, "error", None)
    return fields | {"type": type(result).__name__, "error": error and error.splitlines()[-1]}


def everything(executor: Executor) -> list[dict[str, Any]]:
    """Screenings, trainings and full trainings, each by the order of its jobs."""
    screened = dict(executor.run([Job(text) for text in TEXTS]))
    passed = [(text, screened[i]) for i, text in enumerate(TEXTS) if isinstance(screened[i], Screening)]
    trained = dict(executor.run([Job(text, screening) for text, screening in passed]))
    jobs = [FullJob(entrant, number, "test") for entrant in ENTRANTS for number in range(2)]
    full = dict(executor.run(jobs))
    assert list(executor.run([])) == []
    assert [sorted(results) for results in (screened, trained, full)] == [
        list(range(n)) for n in (len(TEXTS), len(passed), len(jobs))
    ]
    return [lasting(results[i]) for results in (screened, trained, full) for i in sorted(results)]


@pytest.fixture(scope="module")
def expected(config: RunConfig, teacher_cache: str) -> list[dict[str, Any]]:
    os.environ["KDZERO_GP_CACHE"] = teacher_cache
    with active_registry().copy().active(), closing(make_executor("in process", config)) as executor:
        return everything(executor)


def test_the_expected_results_hold_something(expected: list[dict[str, Any]]) -> None:
    assert [r["type"] for r in expected].count("Screening") == 4
    assert [r.get("status") for r in expected].count("ok") == 4
    assert [r.get("status") for r in expected].count("error") == 1
    assert [(r.get("parts") or {}).get("accuracy") is not None for r in expected[-6:]] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("workers", WORKERS)
def test_every_executor_gives_the_same_results_bit_for_bit(
    workers: Any, config: RunConfig, expected: list[dict[str, Any]]
) -> None:
    executor = make_executor(workers, config)
    executor.close()  # unused as yet, which is no harm
    with closing(executor):
        assert everything(executor) == expected
        assert everything(executor) == expected, "the second time, with everything warm"
        assert len(multiprocessing.active_children()) == (0 if workers == "in process" else workers)
    executor.close()
    assert children_in_the_end() == []


def children_in_the_end() -> list[Any]:
    """Children that do not end: the pool's own thread may reap a worker, and notes it a moment after it is gone."""
    deadline = time.monotonic() + 30
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    return multiprocessing.active_children()


def test_closing_does_not_wait_for_work(config: RunConfig) -> None:
    executor = make_executor(1, config)
    results = executor.run([FullJob(Entrant(None), number, "test") for number in range(5000)])
    next(results)
    started = time.perf_counter()
    executor.close()
    assert children_in_the_end() == []
    assert time.perf_counter() - started < 30  # not the minutes that the 5000 jobs would take


def test_a_job_that_kills_its_worker_is_lost_alone(config: RunConfig, expected: list[dict[str, Any]]) -> None:
    texts = (TEXTS[0], "weight(1, deadly(logits))", TEXTS[1])
    with closing(make_executor(2, config)) as executor:
        results = dict(executor.run([Job(text) for text in texts]))
    assert [lasting(results[0]), lasting(results[2])] == expected[:2]
    lost = results[1]
    assert isinstance(lost, Evaluation)
    assert (lost.status, lost.fitness, lost.fingerprint) == ("worker_lost", None, None)


def test_what_is_lost_is_recorded_by_its_kind() -> None:
    screening = Screening(None, (2.0,), "print")
    lost = processes._lost(Job(TEXTS[0], screening), 1.5)
    assert isinstance(lost, Evaluation)
    assert (lost.status, lost.fingerprint, lost.calibration, lost.seconds) == ("worker_lost", "print", (2.0,), 1.5)
    full = processes._lost(FullJob(Entrant(None), 0, "test"), 1.5)
    assert isinstance(full, FullResult)
    assert full.parts is None
    assert full.error


def test_workers_that_cannot_start_are_no_candidates_failure(config: RunConfig, tmp_path: Path) -> None:
    broken = config.model_copy(update={"data": f"npz:{tmp_path / 'gone.npz'}"})
    with (
        closing(make_executor(2, broken)) as executor,
        pytest.raises(WorkerError, match=r"cannot start \(DataError\): There is no data file .*gone\.npz"),
    ):
        list(executor.run([Job(TEXTS[0]), Job(TEXTS[1])]))


PARENT = """
import sys
from functools import partial
from kdzero_gp.session.assemble import make_worker_evaluator
from kdzero_gp.session.config import make_config
from kdzero_gp.evaluate.evaluator import Entrant
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import FullJob

config = make_config(teacher="cnn4", limit=128, batch_size=32, epochs=1, proxy_epochs=1)
executor = Processes(2, partial(make_worker_evaluator, config))
for index, _ in executor.run([FullJob(Entrant(None), n, "test") for n in range(100000)]):
    if index < 20:
        print(*executor._pool._processes, flush=True)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """The parent is a plain script without a guard for `__main__`: workers must not run it again."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = str(Path(__file__).resolve().parents[2])
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}
    )
    assert parent.stdout is not None
    workers: list[int] = []
    try:
        for line in parent.stdout:
            workers = [int(pid) for pid in line.split()]
            if len(workers) == 2:
                break
        assert len(workers) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 10
        while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not [pid for pid in workers if alive(pid)]
    finally:
        parent.kill()
        parent.stdout.close()
        parent.wait()
        for pid in filter(alive, workers):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent's attention does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
