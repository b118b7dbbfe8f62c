"""What only worker processes have: a birth, an environment, and a parent that can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import faulty
import pytest
from faulty_jobs import job

from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.executors.processes import Processes
from kdzero_gp.execute.pool import WorkerError
from kdzero_gp.execute.spawning import share, spawning

ROOT = Path(__file__).resolve().parents[3]


def test_workers_start_when_there_is_work_for_them_and_end_when_closed(tmp_path: Path) -> None:
    with closing(Processes(3, partial(faulty.make, str(tmp_path)))) as executor:  # type: ignore[arg-type]
        assert executor.pids == []
        executor.submit(job("ok a"))
        assert len(executor.pids) == 1
        executor.wait()
        pids = executor.pids
        executor.submit(job("ok b"))
        assert executor.pids == pids, "the one that is ready takes it"
    assert executor.pids == []
    assert not [pid for pid in pids if alive(pid)]


def test_workers_that_cannot_start_are_no_candidates_failure() -> None:
    with (
        closing(Processes(1, faulty.make_nothing)) as executor,  # type: ignore[arg-type]
        pytest.raises(WorkerError, match=r"cannot start \(FileNotFoundError: there is no data file here\)"),
    ):
        list(executor.run([job("ok a")]))


def test_workers_that_die_while_they_start_are_no_candidates_failure() -> None:
    with (
        closing(Processes(1, faulty.make_death, attempts=1)) as executor,  # type: ignore[arg-type]
        pytest.raises(WorkerError, match=r"died 1 times while it started \(.* ended with exit code 7\)"),
    ):
        list(executor.run([job("ok a")]))


def test_a_factory_that_cannot_travel_is_refused() -> None:
    with (
        closing(Processes(1, lambda: None)) as executor,  # type: ignore[arg-type, return-value]
        pytest.raises(WorkerError, match=r"cannot travel to a worker process .*must be a function of a module"),
    ):
        executor.submit(job("ok a"))


def test_a_worker_is_born_with_its_share_and_leaves_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    main = sys.modules["__main__"]
    with spawning(share("cuda:3", 2)):
        code = "import os, signal; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS'], "
        code += "signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
        born = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert sys.modules["__main__"] is not main
    assert born.stdout == "3 2 True\n"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert sys.modules["__main__"] is main
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_devices_count_among_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7f")
    assert share("cuda:1", 1) == {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "GPU-7f"}
    assert share("cuda", 1)["CUDA_VISIBLE_DEVICES"] == "4"
    assert share("cpu", 3) == {"OMP_NUM_THREADS": "3"}
    with pytest.raises(ConfigError, match=r"device is 'cuda:2', but must be cpu or cuda:N; .* lets 2 be seen"):
        Processes(1, faulty.make_nothing, devices=["cuda:2"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="device is 'tpu'"):
        share("tpu", 1)


PARENT = """
import pathlib
import sys
sys.path.insert(0, {folder!r})
from functools import partial
import faulty
from faulty_jobs import job

{executor}
for _ in executor.run([job("sleep 0.2") for n in range(40)]):
    if len(list(pathlib.Path({notes!r}).glob("pid-*"))) == 2:
        break
executor.submit(job("spin"))
executor.submit(job("hang"))
print("working", flush=True)
executor.wait()
"""
EXECUTORS = {
    "processes": "from kdzero_gp.execute.executors.processes import Processes\nexecutor = Processes({})",
    "ray": "from kdzero_gp.execute.executors.ray import Ray\nexecutor = Ray({})",
}


@pytest.fixture
def parent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A plain script without a guard for `__main__`, which workers must not run again; its workers hang."""
    pytest.importorskip("ray" if request.param == "ray" else "multiprocessing")
    executor = EXECUTORS[request.param].format(f"2, partial(faulty.make, {str(tmp_path)!r})")
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(Path(__file__).parents[1]), executor=executor, notes=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        yield process, tmp_path
    finally:
        process.kill()
        process.communicate()
        for pid in filter(alive, written(tmp_path)):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("parent", ["processes", "ray"], indirect=True)
def test_workers_end_when_their_parent_is_killed(parent: tuple[subprocess.Popen[str], Path]) -> None:
    """Even those that compiled code keeps from noticing anything."""
    process, folder = parent
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    workers = written(folder)
    assert len(workers) == 2
    time.sleep(0.5)  # until both are at it
    assert all(map(alive, workers))
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 300
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if alive(pid)]


def written(folder: Path) -> set[int]:
    """Ids of the processes in which evaluators were made."""
    return {int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent's attention does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
