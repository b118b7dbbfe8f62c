"""Folders and files that are no run, or no longer one: one clear error, and nothing changed."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore
from kdzero_gp.store.schema import APPLICATION_ID


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def refused(folder, match):
    """Every way of opening says so and leaves every byte alone."""
    before = contents(folder)
    for opening in (RunStore.read, RunStore.resume):
        with pytest.raises(StoreError, match=match) as caught:
            opening(folder)
        assert "--run-dir" in str(caught.value) or "version of kdzero_gp" in str(caught.value)
        assert str(folder) in str(caught.value)
        after = contents(folder)
        assert {name: after[name] for name in before} == before
        assert after.keys() - before.keys() <= {"run.sqlite-wal", "run.sqlite-shm"}
    with pytest.raises(StoreError, match=r"already holds a run|is not empty"):
        RunStore.create(folder, {})
    assert {name: contents(folder)[name] for name in before} == before


@pytest.fixture
def run(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {"seed": 0}) as store:
        for number in range(300):
            store.record(proposal(number=number, tree="x" * 200), evaluation())
    return tmp_path


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_truncated_database(run, share):
    data = (run / "run.sqlite").read_bytes()
    (run / "run.sqlite").write_bytes(data[: int(len(data) * share)])
    refused(run, "malformed|damaged|truncated|not a database")


@pytest.mark.parametrize("size", [0, 1, 15, 99, 100, 511])
def test_database_cut_within_its_first_page(run, size):
    data = (run / "run.sqlite").read_bytes()
    (run / "run.sqlite").write_bytes(data[:size])
    refused(run, f"has {size} bytes, but the smallest SQLite database has 512")


def test_database_cut_while_a_log_is_waiting(tmp_path, proposal, evaluation):
    # A connection that can write would move the log into the remains when it closes.
    with RunStore.create(tmp_path / "live", {}) as store:
        for number in range(100):
            store.record(proposal(number=number, tree="x" * 200), evaluation())
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    database = tmp_path / "killed" / "run.sqlite"
    database.write_bytes(b"\0" * 512)
    (tmp_path / "killed" / "run.sqlite-shm").unlink()
    before = (database.read_bytes(), (tmp_path / "killed" / "run.sqlite-wal").read_bytes())
    with pytest.raises(StoreError):
        RunStore.resume(tmp_path / "killed")
    assert (database.read_bytes(), (tmp_path / "killed" / "run.sqlite-wal").read_bytes()) == before


def test_database_with_an_overwritten_page(run):
    data = bytearray((run / "run.sqlite").read_bytes())
    for start in range(8192, len(data) - 4096, 4096):
        data[start : start + 64] = b"\xff" * 64
    (run / "run.sqlite").write_bytes(data)
    refused(run, "damaged|malformed")


@pytest.mark.parametrize("text", [b"hello, this is a text\n" * 100, b"\0" * 4096])
def test_not_a_database(tmp_path, text):
    (tmp_path / "run.sqlite").write_bytes(text)
    refused(tmp_path, "not a database|another program")


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_database_of_another_program(tmp_path, journal):
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("CREATE TABLE evaluations (mine)")
    connection.close()
    refused(tmp_path, "belongs to another program: its application id is 0x0")


def test_database_of_a_newer_version(run):
    connection = sqlite3.connect(run / "run.sqlite")
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    refused(run, "schema version 3, but this kdzero_gp works with version 2.*a newer version")


def test_database_with_our_id_and_nothing_in_it(tmp_path):
    connection = sqlite3.connect(tmp_path / "run.sqlite")
    connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 2; VACUUM;")
    connection.close()
    refused(tmp_path, "damaged: it lacks evaluations, generations, results, run")


@pytest.mark.parametrize("opening", [RunStore.read, RunStore.resume])
def test_folder_without_a_run(tmp_path, opening):
    with pytest.raises(StoreError, match=r"has no run\.sqlite, but every run folder has one"):
        opening(tmp_path)
    with pytest.raises(StoreError, match=r"missing is no folder, so it has no run\.sqlite"):
        opening(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_creating_in_a_folder_with_other_files(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(StoreError, match=r"not empty \(it holds 'thesis.tex'\).*--run-dir.*--resume"):
        RunStore.create(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_creating_where_a_run_is(run):
    with pytest.raises(StoreError, match=f"already holds a run.*--resume {run}, or take another --run-dir"):
        RunStore.create(run, {})


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StoreError, match=r"cannot create the run folder .*: .* --run-dir"):
            RunStore.create(folder, {})
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_folder_on_a_file_system_that_takes_no_files():
    with pytest.raises(StoreError, match=r"cannot create the run folder /proc/kdzero"):
        RunStore.create(Path("/proc/kdzero"), {})


@pytest.mark.parametrize("step", ["pathlib.Path.mkdir", "pathlib.Path.iterdir", "os.open", "sqlite3.connect"])
def test_folder_without_permission(tmp_path, monkeypatch, step):
    # Root passes every permission bit, so the refusal is played.
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(step, denied)
        with pytest.raises(StoreError, match=r"cannot .*: Permission denied.* --run-dir"):
            RunStore.create(folder, {})
    RunStore.create(folder, {}).close()  # nothing in the way remains


def test_a_creation_that_fails_leaves_no_run(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("kdzero_gp.store.schema._TABLES", "CREATE nonsense;")
        with pytest.raises(StoreError, match="cannot create a run in"):
            RunStore.create(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
    RunStore.create(tmp_path, {}).close()


def test_a_lost_config_yaml_is_written_again(run):
    before = (run / "config.yaml").read_bytes()
    (run / "config.yaml").unlink()
    RunStore.resume(run).close()
    assert (run / "config.yaml").read_bytes() == before
