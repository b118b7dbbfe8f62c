"""Records what a program computes: `python -m tests.project.recorded.record [--runs] [--program DIR] [--into DIR]`.

`--program` is a checkout of the version that is to be the measure; by default this one. `--into` gets the record; by
default the folder of this file, which is what the tests compare with. On a machine whose floats differ from those
recorded here, record the version anew and point the tests there:

    git worktree add ../then COMMIT
    python -m tests.project.recorded.record --program ../then --into /tmp/recorded
    KDZERO_GP_RECORDED=/tmp/recorded python -m pytest tests/project/test_recorded_histories.py

A change that is meant to change results records the runs alone (`--runs`): the folders that an old version left stay.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.project.recorded import recipes
from tests.project.recorded.commands import ROOT, environment, run_plainly

RUN, TRAIN, COMPARE = (f"kdzero_gp.{name}" for name in ("run", "train", "compare"))
PATIENCE = 300.0
"""Seconds after which something that should have been stored is not waited for any longer."""


class Recorder:
    """Runs the recorded commands with one program and keeps what came of them.

    Args:
        program: a checkout.
        into: an existing folder.
        work: an empty one.
    """

    def __init__(self, program: Path, into: Path, work: Path) -> None:
        self.program = program
        self.into = into
        self.work = work
        self.record: dict[str, Any] = {}

    def runs(self) -> None:
        """Records the runs anew, beside the folders that lie there."""
        self.record = json.loads((self.into / recipes.RECORD).read_text(encoding="utf-8"))
        self._runs()
        self._write()

    def everything(self) -> None:
        """Records the runs, and leaves folders of this version."""
        self._runs()
        self.record["old"] = self.record["runs"][recipes.FINISHED]
        self._keep(self.work / recipes.FINISHED, "finished", "run.sqlite", "config.yaml", "best.json", "history.jsonl")
        for name, count in recipes.UNFINISHED.items():
            self._unfinished(name, count)
        (teacher,) = (self.work / f"cache {recipes.FINISHED}").glob("*.safetensors")
        for folder in (self.into, self.work):
            shutil.copyfile(teacher, folder / "teacher.safetensors")
        shutil.copy(self.work / recipes.FINISHED / "best.json", self.work)
        self.record["training"] = self._training()
        self.record["comparison"] = self._comparison()
        self._write()

    def _runs(self) -> None:
        printed = run_plainly("tests.project.recorded.arithmetic", (), cwd=ROOT, cache=self.work)
        self.record["arithmetic"] = json.loads(printed.out)
        self.record["runs"] = {name: self._run(name) for name in recipes.RUNS}

    def _write(self) -> None:
        text = json.dumps(self.record, indent=1) + "\n"
        (self.into / recipes.RECORD).write_text(text, encoding="utf-8", newline="\n")

    def _run(self, name: str) -> dict[str, str]:
        folder = self.work / name
        arguments = (*recipes.RUNS[name], *recipes.ALONE, "--json", "--run-dir", folder)
        printed = self._command(RUN, *arguments, cache=f"cache {name}")
        histories = self.into / "histories"
        histories.mkdir(exist_ok=True)
        shutil.copyfile(folder / "history.jsonl", histories / f"{name}.jsonl")
        return recipes.of_run(folder, printed)

    def _unfinished(self, name: str, count: int) -> None:
        folder = self.work / f"unfinished {name}"
        arguments = (*recipes.RUNS[name], *recipes.ALONE, "--run-dir", folder)
        self._kill(RUN, arguments, f"cache {folder.name}", lambda: _stored(folder) >= count)
        self._keep(folder, f"unfinished/{name}", "run.sqlite", "config.yaml")
        again = self.work / f"resumed {name}"
        shutil.copytree(self.into / "unfinished" / name, again)
        printed = self._command(RUN, "--resume", again, *recipes.ALONE, "--json", cache="cache resumed")
        _require(recipes.of_run(again, printed), self.record["runs"][name], f"the resumed run {name}")

    def _training(self) -> dict[str, str]:
        whole, folder = self.work / "training", self.work / "unfinished training"
        self._command(TRAIN, *recipes.TRAINING, "--run-dir", whole)
        log = folder / "epochs.jsonl"
        arguments = (*recipes.TRAINING, "--run-dir", folder)
        self._kill(TRAIN, arguments, "cache", lambda: _line_count(log) >= recipes.TRAINED_EPOCHS)
        self._keep(folder, "training", "config.json", "checkpoint.safetensors", "epochs.jsonl")
        self._command(TRAIN, "--resume", folder)
        found = recipes.of_training(whole)
        _require(recipes.of_training(folder), found, "the resumed training")
        return found

    def _comparison(self) -> dict[str, str]:
        folder = self.work / "comparison"
        self._command(COMPARE, "--methods", recipes.COMPARED, *recipes.COMPARISON, "--out", folder)
        self._keep(folder, "comparison", "settings.json", "table.json", "table.csv", "table.txt", "trainings")
        self._command(COMPARE, "--methods", recipes.ADDED, *recipes.COMPARISON, "--out", folder)
        return recipes.of_comparison(folder)

    def _command(self, module: str, *arguments: object, cache: str = "cache") -> str:
        """What a command printed; each cache is a folder of its own, so that teachers are trained again."""
        outcome = run_plainly(module, arguments, cwd=self.work, cache=self.work / cache, program=self.program)
        if outcome.code != 0:
            raise SystemExit(f"{module} {' '.join(map(str, arguments))} ended with {outcome.code}:\n{outcome.err}")
        return outcome.out

    def _kill(self, module: str, arguments: tuple[object, ...], cache: str, enough: Callable[[], bool]) -> None:
        """Begins a command and ends it by SIGKILL once enough is stored."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        told = os.environ | environment(self.work / cache, self.program)
        process = subprocess.Popen(command, cwd=self.work, env=told, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not enough():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{module} has ended, or hangs, before it had stored enough to be killed")
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise SystemExit(f"{module} had ended before it was killed; record again")

    def _keep(self, folder: Path, name: str, *files: str) -> None:
        """Copies what matters of a folder into the record, in place of an earlier one."""
        kept = self.into / name
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for file in files:
            copy = shutil.copytree if (folder / file).is_dir() else shutil.copyfile
            if file == "run.sqlite":
                _compact(folder / file)
            copy(folder / file, kept / file)


def _compact(database: Path) -> None:
    """Brings the log into the database, gives back free pages, and takes out the recording machine's name."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE evaluations SET host = 'recorded'")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _stored(folder: Path) -> int:
    """How many evaluations a run folder holds."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM evaluations").fetchone()[0])
    except sqlite3.Error:
        return 0


def _line_count(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _require(found: dict[str, str], expected: dict[str, str], what: str) -> None:
    if found != expected:
        raise SystemExit(f"{what} is not the uninterrupted one: {found} instead of {expected}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Records what a version of the program computes.")
    parser.add_argument("--program", type=Path, default=ROOT, help="checkout of that version (default: this one)")
    parser.add_argument("--into", type=Path, default=recipes.HERE, help="folder of the record (default: the tests')")
    parser.add_argument("--runs", action="store_true", help="the runs alone; old folders stay")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        recorder = Recorder(options.program.resolve(), options.into.resolve(), Path(work))
        if options.runs:
            recorder.runs()
        else:
            recorder.everything()
    print(f"recorded in {options.into}")


if __name__ == "__main__":
    main()
