"""`history.jsonl`: equal runs give equal bytes."""

import json
import math
import random

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore
from kdzero_gp.store.history import portable_error


def fill(folder, proposal, evaluation, order, host):
    with RunStore.create(folder, {}) as store:
        for number in order:
            outcome = evaluation(fitness=number / 7, host=host, seconds=len(host) * 0.1)
            store.record(proposal(number=number, tree=f"t{number}"), outcome)
        return store.write_history().read_bytes()


def test_order_of_coming_in_host_and_time_leave_no_trace(tmp_path, proposal, evaluation):
    numbers = list(range(30))
    first = fill(tmp_path / "a", proposal, evaluation, numbers, "one")
    random.Random(0).shuffle(numbers)
    assert fill(tmp_path / "b", proposal, evaluation, numbers, "another") == first


def test_lines_are_valid_json_with_everything_else(tmp_path, proposal, evaluation):
    failed = evaluation(
        status="error",
        fitness=None,
        parts={"ce": math.nan, "accuracy": 0.1},
        calibration=(math.inf, 1e-300),
        error='Traceback:\n  File "/home/me/x.py", line 3\nValueError: bad tau\n',
    )
    with RunStore.create(tmp_path, {}) as store:
        store.record(proposal(number=1), failed)
        store.record(proposal(number=0), evaluation())
        path = store.write_history()
    assert path == tmp_path / "history.jsonl"
    first, second = path.read_text("utf-8").splitlines()
    entry = json.loads(second, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert list(entry) == sorted(entry)
    assert entry == {
        "arm": "evolve",
        "calibration": ["inf", 1e-300],
        "canonical": "weight(1, kl(logits, 4))",
        "error": "ValueError: bad tau",
        "fingerprint": "f00d",
        "fitness": None,
        "generation": 0,
        "number": 1,
        "operator": "random",
        "parents": [],
        "parts": {"accuracy": 0.1, "ce": "nan"},
        "rung": 0,
        "seed": 2**64 - 1,
        "stage": None,
        "status": "error",
        "steps": 160,
        "tree": "weight(1, kl(logits, 4))",
    }
    assert '"fitness": 0.30000000000000004' in first


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ("RuntimeError: shape (3,4) / (4,3)\n", "RuntimeError: shape (3,4) / (4,3)"),
        ("No such file: '/home/a b/data/x.npz'", "No such file: 'x.npz'"),
        ("No such file: /home/me/runs/x.npz.", "No such file: x.npz."),
        (r"No such file: C:\Users\me\x.npz", "No such file: x.npz"),
        ("see primitives/satt.py and a/b", "see primitives/satt.py and a/b"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("<Map object at 0x7f12ab> failed", "<Map object at 0x…> failed"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_of_an_error_the_last_line_stays_without_folders_and_addresses(error, kept):
    assert portable_error(error) == kept


def test_an_earlier_history_survives_a_failed_write(tmp_path, proposal, evaluation, monkeypatch):
    with RunStore.create(tmp_path, {}) as store:
        store.record(proposal(), evaluation())
        before = store.write_history().read_bytes()
        store.record(proposal(number=1), evaluation())

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.write_history()
        monkeypatch.undo()
        assert (tmp_path / "history.jsonl").read_bytes() == before
        assert not list(tmp_path.glob(".history*"))


def test_another_path_and_one_that_is_no_file(tmp_path):
    RunStore.create(tmp_path / "run", {}).close()
    with RunStore.read(tmp_path / "run") as store:
        assert store.write_history(tmp_path / "elsewhere.jsonl").read_bytes() == b""
        with pytest.raises(StoreError, match="not a regular file"):
            store.write_history(tmp_path)
        with pytest.raises(StoreError, match="No such file or directory"):
            store.write_history(tmp_path / "missing" / "x.jsonl")
