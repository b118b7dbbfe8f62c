"""Runs are those that were recorded, byte for byte, and the folders that an old version left are gone on with.

`recorded/recorded.json` holds what runs gave when they were last recorded; `recorded/record.py` tells how to record
them anew, after a change that is meant to change results or on a machine whose floats are others. There the bytes
cannot agree: what does not depend on the last bits is compared, and the rest is skipped with its reason. The folders
beside it were left by commit 4051d74, from before losses were made exact near equality and at small scales: what it
had stored stays as it is, and the rest is computed as today.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.project.recorded import recipes
from tests.project.recorded.commands import ROOT, Commands, Outcome, run_plainly
from tests.project.recorded.recipes import ADDED, ALONE, COMPARISON, RUNS, UNFINISHED

RECORDED = Path(os.environ.get("KDZERO_GP_RECORDED", recipes.HERE))
RUN = "kdzero_gp.run"


class Command(Protocol):
    """Runs `python -m MODULE ARGUMENTS` in a folder, which must succeed, and returns what it printed."""

    def __call__(self, module: str, *arguments: object) -> str: ...


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    process = Commands(tmp_path_factory.mktemp("commands"))
    yield process
    process.close()


@pytest.fixture
def command(commands: Commands, tmp_path: Path) -> Command:
    """Commands run in the test's own folder, with a cache of teachers of its own."""

    def run(module: str, *arguments: object) -> str:
        return succeeded(commands(module, *arguments, cwd=tmp_path, cache=tmp_path / "cache"))

    return run


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / recipes.RECORD).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def other_arithmetic(commands: Commands, record: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Why bytes cannot be compared on this machine; "" where they can."""
    folder = tmp_path_factory.mktemp("arithmetic")
    here = json.loads(succeeded(commands("tests.project.recorded.arithmetic", cwd=ROOT, cache=folder)))
    if here == record["arithmetic"]:
        return ""
    return (
        f"floats are others here than where this was recorded ({here} instead of {record['arithmetic']}), so the last "
        "bits cannot agree; tests/project/recorded/record.py tells how to record the old version on this machine"
    )


def succeeded(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    return outcome.out


def require_same_run(folder: Path, printed: str, name: str, record: dict[str, Any], other_arithmetic: str) -> None:
    """The run is the recorded one: to the byte where floats are the same, in what it asked for first elsewhere."""
    here = recipes.history(folder / "history.jsonl")
    then = recipes.history(RECORDED / "histories" / f"{name}.jsonl")
    if other_arithmetic:
        require_same_beginning(here, then)
        pytest.skip(f"the beginning of the search is the recorded one; {other_arithmetic}")
    for number, (mine, theirs) in enumerate(zip(here, then, strict=False), start=1):
        assert mine == theirs, f"line {number} of history.jsonl"
    assert recipes.of_run(folder, printed) == record["runs"][name]


def require_same_beginning(here: list[dict[str, Any]], then: list[dict[str, Any]]) -> None:
    """The first trees of every arm, which no fitness has led to, are the same, and so is what is told by counting.

    Which of the trees pass the screening may hang on the last bits, and with it how many are asked for.
    """
    fields = ("arm", "number", "generation", "operator", "parents", "tree", "canonical", "seed")
    for arm in {line["arm"] for line in then}:
        first = [
            [line for line in lines if (line["arm"], line["generation"], line["rung"]) == (arm, 0, 0)]
            for lines in (here, then)
        ]
        pairs = list(zip(*first, strict=False))
        assert len(pairs) >= 4, f"the first generation of {arm} is short"
        for mine, theirs in pairs:
            assert [mine[field] for field in fields] == [theirs[field] for field in fields]
            assert (mine["stage"] == "too_expensive") == (theirs["stage"] == "too_expensive")
            assert mine["status"] in ("ok", "rejected")


@pytest.mark.parametrize("name", RUNS)
def test_the_same_options_give_the_recorded_run(
    command: Command, record: dict[str, Any], other_arithmetic: str, tmp_path: Path, name: str
) -> None:
    printed = command(RUN, *RUNS[name], *ALONE, "--json", "--run-dir", tmp_path / "run")
    require_same_run(tmp_path / "run", printed, name, record, other_arithmetic)


@pytest.mark.parametrize("name", UNFINISHED)
def test_an_old_run_that_was_killed_goes_on_to_its_end(command: Command, tmp_path: Path, name: str) -> None:
    """What was stored stays to the byte, nothing is evaluated again, and the run ends with its table."""
    folder = tmp_path / "run"
    shutil.copytree(RECORDED / "unfinished" / name, folder)
    command(RUN, "--write-history", folder)
    stored = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(stored) >= UNFINISHED[name]
    printed = json.loads(command(RUN, "--resume", folder, *ALONE, "--json"))
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(stored) < set(lines)
    asked = [(line["arm"], line["number"], line["rung"]) for line in map(json.loads, lines)]
    assert len(asked) == len(set(asked))
    assert printed["table"]
    assert all(row["mean"] is not None for row in printed["table"])


def test_a_finished_old_run_tells_its_result(command: Command, record: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is computed, so this holds on every machine. Python is started as a user starts it, not forked."""
    folder = tmp_path / "run"
    shutil.copytree(RECORDED / "finished", folder)
    printed = succeeded(run_plainly(RUN, ("--resume", folder, "--json"), cwd=tmp_path, cache=tmp_path / "cache"))
    assert recipes.of_run(folder, printed) == record["old"]
    (folder / "history.jsonl").unlink()
    command(RUN, "--write-history", folder)
    assert recipes.of_run(folder, printed) == record["old"]


def test_a_finished_old_run_is_shown(command: Command, tmp_path: Path) -> None:
    shutil.copytree(RECORDED / "finished", tmp_path / "run")  # reading leaves SQLite's files beside the database
    command("kdzero_gp.browse", tmp_path / "run", "--no-open", "--out", tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    (shown,) = json.loads(block[1])["runs"]
    stored = recipes.history(RECORDED / "finished" / "history.jsonl")
    assert shown["finished"] is True
    assert shown["distillers"] == shown["drawn"] == len(stored)
    trees = json.dumps(shown["rows"])
    for line in stored:
        assert line["tree"] in trees


def test_an_old_training_that_was_killed_goes_on_to_its_end(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    shutil.copytree(RECORDED / "training", folder)
    shutil.copy(RECORDED / "teacher.safetensors", tmp_path)
    kept = (folder / "epochs.jsonl").read_text().splitlines()
    command("kdzero_gp.train", "--resume", folder)
    epochs = (folder / "epochs.jsonl").read_text().splitlines()
    assert epochs[: len(kept)] == kept
    assert [json.loads(line)["epoch"] for line in epochs] == list(range(1, 41))
    assert (folder / "result.json").is_file()


def test_an_old_comparison_is_added_to(command: Command, record: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "comparison"
    shutil.copytree(RECORDED / "comparison", folder)
    for file in ("teacher.safetensors", "finished/best.json"):
        shutil.copy(RECORDED / file, tmp_path)
    kept = {path.name: path.read_bytes() for path in (folder / "trainings").iterdir()}
    command("kdzero_gp.compare", "--methods", ADDED, *COMPARISON, "--out", folder)
    files = {path.name: path.read_bytes() for path in (folder / "trainings").iterdir()}
    assert len(kept) == 2
    assert {name: files[name] for name in kept} == kept
    assert sorted(files) == sorted(record["comparison"]), "a method is what it was, or its training would be done again"


def test_another_first_tree_is_noticed_on_any_machine() -> None:
    then = recipes.history(RECORDED / "histories" / "random.jsonl")
    require_same_beginning(then, then)
    for field, value in (("tree", "weight(1, kl(logits, 4))"), ("seed", 1), ("stage", "too_expensive"), ("number", 9)):
        with pytest.raises(AssertionError):
            require_same_beginning([then[0] | {field: value}, *then[1:]], then)
