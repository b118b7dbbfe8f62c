"""Going on with a run: what is accepted, what is refused, and that a refusal changes nothing."""

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdzero_gp.store import RunStore


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def unfinish(folder: Path, keep: int) -> None:
    """Makes a finished run one that was broken off after so many evaluations."""
    with sqlite3.connect(folder / "run.sqlite") as connection:
        connection.execute("DELETE FROM results")
        connection.execute(
            "DELETE FROM evaluations WHERE rowid NOT IN (SELECT rowid FROM evaluations ORDER BY rowid LIMIT ?)", (keep,)
        )
        connection.execute("DELETE FROM generations WHERE generation > 0")
    connection.close()
    for name in ("history.jsonl", "best.json", "gallery/index.html"):
        (folder / name).unlink()


@pytest.fixture
def broken_off(whole_run: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "broken off"
    shutil.copytree(whole_run[0], folder)
    unfinish(folder, 5)
    return folder


def test_a_run_broken_off_ends_like_one_that_was_not(invoke: Any, whole_run: Any, broken_off: Path) -> None:
    outcome = invoke("--resume", broken_off, "--workers", 1, "--seed", 3)
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(r"gen   0 .* duplicates avoided, [1-9] from the store", outcome.out)
    for name in ("history.jsonl", "best.json", "best.py", "best.gv"):
        assert (broken_off / name).read_bytes() == (whole_run[0] / name).read_bytes()
    tables = []
    for folder in (whole_run[0], broken_off):
        with RunStore.read(folder) as store:
            tables.append(store.result("final"))
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--seed", "4"), ("seed: the run has 3, but 4 was given",)),
        (("--pop", "9", "--gens", "9"), ("pop: the run has 3, but 9 was given", "gens: the run has 1")),
        (("--teacher", "cnn8"), ('teacher: the run has "cnn4", but "cnn8" was given',)),
        (("--threads", "2"), ("threads: the run has 1, but 2",)),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_another_configuration_is_refused(
    invoke: Any, whole_run: Any, broken_off: Path, options: tuple[str, ...], parts: tuple[str, ...], finished: bool
) -> None:
    folder = whole_run[0] if finished else broken_off
    before = contents(folder)
    outcome = invoke("--resume", folder, *options)
    assert (outcome.code, outcome.out) == (2, "")
    for part in (str(folder), "another configuration", "leave these options out", "--run-dir", *parts):
        assert part in outcome.err
    assert contents(folder) == before


def test_a_missing_folder_and_one_without_a_run_are_named(invoke: Any, tmp_path: Path) -> None:
    for folder in (tmp_path / "gone", tmp_path):
        outcome = invoke("--resume", folder)
        assert (outcome.code, outcome.out) == (2, "")
        assert str(folder) in outcome.err
        assert "Traceback" not in outcome.err
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("damage", ["truncated", "text", "another program", "empty", "zeros"])
def test_a_damaged_or_foreign_database_is_left_as_it_is(invoke: Any, broken_off: Path, damage: str) -> None:
    database = broken_off / "run.sqlite"
    whole = database.read_bytes()
    if damage == "another program":
        database.unlink()
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE mine (x)")
        connection.close()
    else:
        pieces = {
            "truncated": whole[: len(whole) // 2],
            "text": b"my diary\n" * 1000,
            "empty": b"",
            "zeros": bytes(8192),
        }
        database.write_bytes(pieces[damage])
    for end in ("-wal", "-shm"):
        database.with_name(database.name + end).unlink(missing_ok=True)
    before = contents(broken_off)
    outcome = invoke("--resume", broken_off)
    assert (outcome.code, outcome.out) == (2, "")
    assert str(database) in outcome.err
    assert "Traceback" not in outcome.err
    assert contents(broken_off) == before


def test_a_run_of_another_version_is_refused(invoke: Any, broken_off: Path) -> None:
    with sqlite3.connect(broken_off / "run.sqlite") as connection:
        connection.execute("UPDATE run SET value = json_insert(value, '$.warp', 9) WHERE key = 'config'")
    connection.close()
    outcome = invoke("--resume", broken_off)
    assert (outcome.code, outcome.out) == (2, "")
    assert "there is no option `warp`" in outcome.err
    assert "version" in outcome.err


def test_data_that_changed_since_are_refused(invoke: Any, tiny: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path, folder = tmp_path / "mine.npz", tmp_path / "run"
    x, y = rng.integers(0, 256, (240, 8, 8), dtype=np.uint8), np.arange(240) % 3
    np.savez(path, x=x, y=y)
    options = (*tiny, "--data", path, "--no-baselines", "--leader-seeds", 0, "--run-dir", folder)
    assert invoke(*options).code == 0
    unfinish(folder, 2)
    x[0, 0, 0] ^= 1
    np.savez(path, x=x, y=y)
    before = contents(folder)
    outcome = invoke("--resume", folder)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"the data of {path} have changed since the run began" in outcome.err
    assert "restore the old data" in outcome.err
    assert contents(folder) == before


def test_a_run_in_use_is_refused(invoke: Any, broken_off: Path) -> None:
    with RunStore.resume(broken_off):
        outcome = invoke("--resume", broken_off)
    assert (outcome.code, outcome.out) == (2, "")
    assert "another process" in outcome.err
    assert "one writer" in outcome.err
