"""Starts the program's commands as a user does, or, many of them, from one process that has torch in memory already.

`python -m tests.project.recorded.commands` is that process. It reads one JSON object per line: {"module": a module,
"arguments": […], "cwd": FOLDER, "environment": {…}, "out": FILE, "err": FILE}, runs `python -m MODULE ARGUMENTS` in a
fork of itself and prints the exit code. What it has imported before is other people's alone.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]

ENVIRONMENT = {
    # The least that every x86-64 processor of today can do, so that their floats agree as far as they can.
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "Agg",
    "COLUMNS": "200",
}
PRELOADED = (
    "torch",
    "torch._dynamo",  # torch itself imports it for its first optimiser
    "torch.utils.tensorboard",
    "torchvision",
    "sklearn.datasets",
    "scipy.stats",
    "matplotlib.textpath",
    "networkx",
    "deap.gp",
    "pydantic",
    "typer.testing",
    "rich.console",
    "rich.progress",
    "jinja2",
)


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str


def environment(cache: Path, program: Path = ROOT) -> dict[str, str]:
    """What a command needs to be told: where the program is, where teachers are kept, how to compute."""
    return ENVIRONMENT | {"KDZERO_GP_CACHE": str(cache), "PYTHONPATH": str(program)}


def run_plainly(module: str, arguments: Sequence[object], *, cwd: Path, cache: Path, program: Path = ROOT) -> Outcome:
    """`python -m MODULE ARGUMENTS` as a user types it."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    told = os.environ | environment(cache, program)
    done = subprocess.run(command, cwd=cwd, env=told, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return Outcome(done.returncode, done.stdout, done.stderr)


class Commands:
    """The process that runs commands in forks of itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.project.recorded.commands"],
            cwd=ROOT,
            env=os.environ | environment(folder / "unused"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, module: str, *arguments: object, cwd: Path, cache: Path) -> Outcome:
        """Runs a command to its end."""
        out, err = self._folder / "out", self._folder / "err"
        request = {"module": module, "arguments": [str(argument) for argument in arguments], "cwd": str(cwd)}
        request |= {"environment": environment(cache), "out": str(out), "err": str(err)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Outcome(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def _child(request: Mapping[str, Any]) -> NoReturn:
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


def _serve() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
