"""Rows of a run folder that may be anybody's: every column is checked when it is read."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.store import Evaluation, Proposal, RunStore
from kdzero_gp.store.rows import EVALUATION_COLUMNS, PROPOSAL_COLUMNS, from_row, to_row

PROPOSAL = Proposal(3, 1, "evolve", "crossover", (0, 2), "weight(1, l2(pool))", "weight(1, l2(pool))", 0)
EVALUATION = Evaluation("ok", fitness=0.5, parts={"ce": float("nan")}, calibration=(2.0,), steps=4, seed=2**70)
COLUMNS = [*PROPOSAL_COLUMNS, *EVALUATION_COLUMNS]


def test_a_row_comes_back_as_it_went_in() -> None:
    proposal, evaluation = from_row(to_row(PROPOSAL, EVALUATION))
    assert proposal == PROPOSAL
    assert repr(evaluation) == repr(EVALUATION)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("arm", None), ("number", "x"), ("number", -1), ("generation", 1.5), ("operator", b"\xff"), ("parents", "x"),
        ("parents", "7"), ("parents", '{"a": 1}'), ("parents", '["a"]'), ("parents", "[" * 10**5),
        ("tree", b"\xff\x00"), ("tree", None), ("canonical", 7), ("rung", "0"),
        ("status", "x"), ("status", None), ("stage", "no_gradient"),
        ("fitness", "x"), ("fitness", float("inf")), ("fitness", None), ("parts", "[1]"), ("parts", '{"ce": "x"}'),
        ("parts", '{"ce": [1]}'), ("parts", None), ("calibration", "5"), ("calibration", '["x"]'),
        ("calibration", "null"), ("fingerprint", 5), ("steps", None), ("seed", "x"),
        ("seed", "9" * 5000), ("seconds", -1.0), ("host", 5),
    ],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_is_named_with_its_row(column: str, value: Any) -> None:
    row = list(to_row(PROPOSAL, EVALUATION))
    row[COLUMNS.index(column)] = value
    with pytest.raises(StoreError, match=r"evaluation \S+/\S+ at rung \S+ is damaged: .{1,340}\. Nothing"):
        from_row(tuple(row))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with RunStore.create(tmp_path / "run", {"pop": 2}) as store:
        store.record(PROPOSAL, EVALUATION)
        store.put_generation("evolve", 0, {"funnel": {}})
        store.put_result("final", {"rows": []})
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE run SET value = '[1]'", "configuration in .* is damaged: it is a list, but must be an object"),
        ("UPDATE run SET value = 'x'", "configuration in .* is damaged: Expecting value"),
        ("UPDATE run SET value = x'ff00'", "configuration in .* is damaged: it is no text"),
        ("UPDATE generations SET stats = '5'", "generation 0 of evolve in .* is damaged: it is a int"),
        ("UPDATE results SET value = '{'", "result final in .* is damaged: "),
        ("UPDATE evaluations SET status = 'x'", "evolve/3 at rung 0 is damaged: status is 'x'"),
    ],
)
def test_damaged_values_of_a_folder_are_named(folder: Path, statement: str, message: str) -> None:
    with sqlite3.connect(folder / "run.sqlite") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(StoreError, match=message), RunStore.read(folder) as store:  # noqa: PT012
        assert store.config == {"pop": 2}
        list(store.evaluations())
        store.generations("evolve")
        store.result("final")
