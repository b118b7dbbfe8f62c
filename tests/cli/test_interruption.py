"""Ctrl-C, SIGTERM, `kill -9` and a full disk at any moment: the run folder stays whole and the run can go on."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.store import RunStore

KILLS = 10


def stored(folder: Path) -> int:
    """How many evaluations, trainings and tables the folder holds; -1 before there is a database."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT (SELECT count(*) FROM evaluations) + (SELECT count(*) FROM results) "
                "+ (SELECT count(*) FROM generations)"
            ).fetchone()
        return int(rows[0])
    except sqlite3.Error:
        return -1


def wait_for(folder: Path, count: int, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while stored(folder) < count:
        assert time.monotonic() < deadline, f"only {stored(folder)} of {count} are stored"
        time.sleep(0.002)


def results(folder: Path) -> dict[str, Any]:
    """What two equal runs share, byte for byte."""
    with RunStore.read(folder) as store:
        found = {"final": store.result("final"), "leaders": store.result("leaders/evolve")}
    for name in ("history.jsonl", "best.json", "best.py", "best.gv"):
        found[name] = (folder / name).read_bytes()
    return found


def whole(folder: Path) -> None:
    """The database passes SQLite's own check."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("sent", [[signal.SIGINT], [signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGTERM]])
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(
    driver: Any, tiny: Any, whole_run: Any, tmp_path: Path, sent: list[signal.Signals]
) -> None:
    folder = tmp_path / "a run"
    command = driver.start(*tiny, "--seed", 3, "--run-dir", folder)
    wait_for(folder, 7)
    for number in sent:
        os.kill(command.pid, number)
        time.sleep(0.01)
    outcome = command.end()
    assert outcome.code == 130
    assert outcome.err == (
        f"interrupted; what was finished is stored. Go on with: python -m kdzero_gp.run --resume '{folder}'\n"
    )
    whole(folder)
    outcome = driver.start("--resume", folder, "--workers", 1).end()
    assert (outcome.code, outcome.err) == (0, "")
    assert results(folder) == results(whole_run[0])


def test_ctrl_c_before_the_run_began_leaves_nothing(
    invoke: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr("kdzero_gp.tasks.classification.kind.train_teacher", interrupted)
    outcome = invoke(*tiny, "--limit", 100, "--run-dir", tmp_path / "a" / "run")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "interrupted before the run began; nothing was stored\n"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_terminal_reaches_the_workers_too(
    driver: Any, tiny_anywhere: Any, whole_run: Any, tmp_path: Path
) -> None:
    """A terminal sends the signal to the whole process group; here while workers start, and while they work."""
    folder = tmp_path / "run"
    moments = iter((1.0, None))
    arguments: tuple[Any, ...] = (*tiny_anywhere, "--seed", 3, "--workers", 2, "--run-dir", folder)
    for moment in moments:
        command = driver.start(*arguments)
        if moment is None:
            wait_for(folder, 7)
        else:
            wait_for(folder, 0)
            time.sleep(moment)
        os.killpg(command.pid, signal.SIGINT)
        outcome = command.end()
        assert outcome.code == 130
        assert outcome.err.startswith("interrupted; "), outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        assert not group_lives(command.pid)
        whole(folder)
        arguments = ("--resume", folder, "--workers", 2)
    outcome = driver.start("--resume", folder, "--workers", 1).end()
    assert (outcome.code, outcome.err) == (0, "")
    assert results(folder) == results(whole_run[0])


def group_lives(group: int) -> bool:
    """Whether processes of a group are left after a moment of grace."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def test_primitives_of_ones_own_work_in_workers_with_the_same_results(
    driver: Any, invoke: Any, tiny_anywhere: Any, tmp_path: Path
) -> None:
    ops = tmp_path / "my_ops.py"
    ops.write_text(
        "from kdzero_gp import Map, Rows, Vector, transform\n"
        "@transform(Map, Rows, Vector)\ndef mine(x):\n    print('talk')\n    return 3 * x\n"
    )
    options = (*tiny_anywhere, "--no-baselines", "--primitives", ops, "--seed", 1, "--json")
    outcome = driver.start(*options, "--workers", 2, "--run-dir", tmp_path / "two").end()
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("\n") == 1
    assert "talk" in outcome.err
    assert invoke(*options, "--workers", 1, "--run-dir", tmp_path / "one").code == 0
    assert results(tmp_path / "one") == results(tmp_path / "two")
    assert b"mine(" in results(tmp_path / "one")["history.jsonl"]


def test_killed_at_ten_moments_and_resumed_it_is_the_same_run(
    driver: Any, tiny: Any, whole_run: Any, tmp_path: Path
) -> None:
    """The moments lie in all phases: each is some milliseconds after another part of the results is stored."""
    rng = random.Random(time.time_ns())
    folder = tmp_path / "run"
    total = stored(whole_run[0])
    targets = [-1, *sorted(rng.sample(range(1, total), KILLS - 1))]
    for target in targets:
        arguments = ("--resume", folder, "--workers", 1)
        if not (folder / "run.sqlite").exists():
            arguments = (*tiny, "--seed", 3, "--run-dir", folder)
        command = driver.start(*arguments)
        wait_for(folder, target)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(command.pid, signal.SIGKILL)
        outcome = command.end()
        assert outcome.code == -signal.SIGKILL or stored(folder) == total
        assert "Traceback" not in outcome.err
    arguments = ("--resume", folder, "--workers", 1)
    outcome = driver.start(*arguments).end()
    assert (outcome.code, outcome.err) == (0, "")
    assert results(folder) == results(whole_run[0]), f"moments {targets}"


@pytest.mark.parametrize("largest_file", [2_000, 30_000, 50_000])
def test_a_full_disk_is_named_and_what_is_stored_stays(
    driver: Any, tiny: Any, whole_run: Any, tmp_path: Path, largest_file: int
) -> None:
    """A limit on the size of files stops writing as a full disk does."""
    folder = tmp_path / "run"
    outcome = driver.start(*tiny, "--seed", 3, "--run-dir", folder, largest_file=largest_file).end()
    assert outcome.code == 2, outcome
    assert "Traceback" not in outcome.err
    message = outcome.err.splitlines()
    assert len(message) == 1, outcome.err
    assert message[0].startswith("error: ")
    assert str(folder) in message[0]
    begun = (folder / "run.sqlite").exists()
    if begun:
        whole(folder)
    arguments = ("--resume", folder, "--workers", 1) if begun else (*tiny, "--seed", 3, "--run-dir", folder)
    outcome = driver.start(*arguments).end()
    assert (outcome.code, outcome.err) == (0, "")
    assert results(folder) == results(whole_run[0])


def test_the_real_command_ends_cleanly_on_ctrl_c(tiny: Any, tmp_path: Path) -> None:
    """Not the driver's: `python -m kdzero_gp.run` as a user types it."""
    root = str(Path(__file__).resolve().parents[2])
    folder = tmp_path / "run"
    command = subprocess.Popen(
        [sys.executable, "-m", "kdzero_gp.run", *tiny, "--pop", "50", "--run-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    try:
        wait_for(folder, 3)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=300)
    finally:
        command.kill()
        command.communicate()
    assert command.returncode == 130
    assert err.startswith("interrupted; ")
    assert err.count("\n") == 1
    assert str(folder) in out
    whole(folder)


INSIDE_EXEC = """
import os, signal, sys, threading
from kdzero_gp.console.command import INTERRUPTED, interruptible

with interruptible():
    try:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        exec("while True: pass")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
"""


def test_an_interrupt_while_a_library_makes_code_ends_with_the_same_exit_code(tmp_path: Path) -> None:
    """CPython ends a process by the signal if a plain KeyboardInterrupt went through `exec` of a text, even caught."""
    (tmp_path / "inside.py").write_text(INSIDE_EXEC)
    command = subprocess.run([sys.executable, "-m", "inside"], cwd=tmp_path, check=False, timeout=300)
    assert command.returncode == 130
