"""Several processes and one folder: killed writers, second writers, readers, full disks."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore


def test_kill_9_loses_nothing_that_record_returned_for(tmp_path, start_writer):
    moments = random.Random(5)
    returned: set[int] = set()
    for _ in range(6):
        process = start_writer("loop", tmp_path)
        first = process.stdout.readline()
        assert first, process.stderr.read()
        time.sleep(moments.uniform(0.0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read()  # not communicate(), which passes over what readline() read ahead
        process.wait()
        returned |= {int(line) for line in (first + rest).split("\n") if line}
        with RunStore.read(tmp_path) as store:
            stored = {asked.number: outcome for asked, outcome in store.evaluations()}
        assert returned <= stored.keys()
        assert stored.keys() == set(range(len(stored)))
        assert len(stored) <= len(returned) + 6  # at most one per kill was stored but not yet printed
        assert all(outcome.fitness == number / 7 for number, outcome in stored.items())
    assert len(returned) >= 6  # each process was let live to its first


def test_kill_9_while_creating_leaves_a_folder_to_begin_in(tmp_path):
    (tmp_path / "run.lock").write_text("1 gone\n")
    (tmp_path / "run.sqlite.new").write_bytes(b"half")
    (tmp_path / "run.sqlite.new-journal").write_bytes(b"half")
    with RunStore.create(tmp_path, {"seed": 1}) as store:
        assert store.config == {"seed": 1}
    assert not list(tmp_path.glob("run.sqlite.new*"))


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path, start_writer):
    process = start_writer("hold", tmp_path)
    assert process.stdout.readline() == "open\n"
    with pytest.raises(StoreError, match=rf"another process \(pid {process.pid}\) is writing to .*--run-dir"):
        RunStore.resume(tmp_path)
    with pytest.raises(StoreError, match="already holds a run"):
        RunStore.create(tmp_path, {})
    process.kill()
    process.wait()
    RunStore.resume(tmp_path).close()


def test_a_second_writer_in_the_same_process_is_refused(tmp_path):
    with RunStore.create(tmp_path, {}), pytest.raises(StoreError, match=f"pid {os.getpid()}"):
        RunStore.resume(tmp_path)
    RunStore.resume(tmp_path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_does_not_hold_the_lock_of_its_killed_parent(tmp_path, start_writer):
    process = start_writer("fork", tmp_path)
    worker = int(process.stdout.readline())
    try:
        with pytest.raises(StoreError, match="is writing to"):  # the child's close freed nothing
            RunStore.resume(tmp_path)
        process.kill()
        process.wait()
        os.kill(worker, 0)  # it still lives
        RunStore.resume(tmp_path).close()
    finally:
        os.kill(worker, signal.SIGKILL)


def test_reading_beside_a_writer_sees_what_is_committed(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as writer:
        with RunStore.read(tmp_path) as reader:
            assert list(reader.evaluations()) == []
            writer.record(proposal(), evaluation())
            assert list(reader.evaluations()) == [(proposal(), evaluation())]
        writer.record(proposal(number=1), evaluation())
    with RunStore.read(tmp_path) as reader:
        assert len(list(reader.evaluations())) == 2


def test_reading_in_the_writers_process_leaves_its_file_locks_alone(tmp_path, proposal, evaluation):
    # POSIX drops all locks of a process on a file as soon as it closes any descriptor of it. Another program
    # would then take itself for the last one and remove the log that the writer still uses.
    with RunStore.create(tmp_path, {}) as writer:
        writer.record(proposal(), evaluation())
        RunStore.read(tmp_path).close()
        visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM run'); c.close()"
        subprocess.run([sys.executable, "-c", visit, tmp_path / "run.sqlite"], check=True)
        assert (tmp_path / "run.sqlite-wal").exists()
        writer.record(proposal(number=1), evaluation())
    with RunStore.read(tmp_path) as reader:
        assert len(list(reader.evaluations())) == 2


def test_a_full_disk_is_reported_and_what_was_recorded_stays(tmp_path, start_writer):
    process = start_writer("fill", tmp_path)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    *numbers, failed, after = output.splitlines()
    assert failed.startswith("failed: cannot write ")
    assert "disk is full, or a limit on file sizes" in failed
    assert f"--resume {tmp_path}" in failed
    assert numbers == [str(number) for number in range(len(numbers))]
    assert len(numbers) > 10
    assert after == str(len(numbers))  # the same store went on once there was room
    with RunStore.resume(tmp_path) as store:
        assert [asked.number for asked, _ in store.evaluations()] == list(range(len(numbers) + 1))


def test_a_database_locked_by_another_program_is_reported(tmp_path, proposal, evaluation, monkeypatch):
    monkeypatch.setattr("kdzero_gp.store.schema.BUSY_SECONDS", 0.05)
    with RunStore.create(tmp_path, {}) as store:
        other = sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="Another program holds the database locked; close it"):
            store.record(proposal(), evaluation())
        other.execute("ROLLBACK")
        other.close()
        assert store.record(proposal(), evaluation())
