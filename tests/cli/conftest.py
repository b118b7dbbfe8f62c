"""The command, in this process for most tests and in processes of its own where a signal or a limit is to meet it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kdzero_gp.grammar.registry import active_registry

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    *("--teacher", "cnn4", "--limit", "128", "--pop", "3", "--gens", "1", "--proxy-epochs", "1", "--epochs", "1"),
    *("--final-seeds", "1", "--finalists", "2", "--leaders", "2", "--leader-seeds", "1", "--batch-size", "32"),
    *("--rungs", "2"),
)
ALONE = ("--workers", "1")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Options of a run of seconds, in this process."""
    return (*TINY, *ALONE)


@pytest.fixture(scope="session")
def tiny_anywhere() -> tuple[str, ...]:
    """The same, with the number of workers left open."""
    return TINY


@pytest.fixture(scope="session")
def invoke(teacher_cache: str) -> Callable[..., Outcome]:
    """Runs the command in this process, with a registry of its own."""
    from kdzero_gp.run.__main__ import app

    def run(*arguments: object) -> Outcome:
        os.environ["KDZERO_GP_CACHE"] = teacher_cache
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with active_registry().copy().active():
                result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        finally:  # after an interruption the command leaves signals ignored, being about to end
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def whole_run(
    invoke: Callable[..., Outcome], tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    """The folder of an uninterrupted run, to be left alone, and what was printed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, invoke(*tiny, "--seed", 3, "--run-dir", folder)


class Driver:
    """Hands commands to `driver.py`."""

    def __init__(self, folder: Path, cache: str) -> None:
        self.folder = folder
        self.count = 0
        environment = os.environ | {"KDZERO_GP_CACHE": cache, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("driver.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.running: set[int] = set()
        assert self._line() == "ready"

    def start(self, *arguments: object, largest_file: int | None = None, module: str = "kdzero_gp.run") -> "Started":
        """Starts a command."""
        self.count += 1
        out, err = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        out.touch()
        err.touch()
        request = {"argv": [str(a) for a in arguments], "out": str(out), "err": str(err), "cwd": str(self.folder)}
        self._send(request | {"largest_file": largest_file, "module": module})
        pid = int(self._line())
        self.running.add(pid)
        return Started(self, pid, out, err)

    def wait(self, pid: int) -> int:
        self._send({"wait": pid})
        code = int(self._line())
        self.running.discard(pid)
        return code

    def close(self) -> None:
        for pid in self.running:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()

    def _send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@dataclass
class Started:
    """A command that runs."""

    driver: Driver
    pid: int
    out: Path
    err: Path

    def end(self) -> Outcome:
        """Waits for it."""
        code = self.driver.wait(self.pid)
        return Outcome(code, self.out.read_text(), self.err.read_text())


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Iterator[Driver]:
    driver = Driver(tmp_path_factory.mktemp("driver"), teacher_cache)
    yield driver
    driver.close()
