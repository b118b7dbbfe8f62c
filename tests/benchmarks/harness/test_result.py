"""Every result has the one form, and what is not of the form is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.result import Claim, command, make_result, read_result, write_result


def record() -> dict[str, Any]:
    return {
        "benchmark": "toy",
        "date": "2025-01-02T03:04:05+00:00",
        "commit": "0123456789" * 4,
        "hardware": "2 cores of x86_64",
        "versions": {"python": "3.11"},
        "seeds": [0, 1],
        "command": "python -m benchmarks.toy --count 3",
        "rows": [{"part": "a", "what": "x", "value": 1.5, "each": [1, 2, None], "ok": True, "other": None}],
        "claims": [{"what": "value at least 1", "measured": 1.5, "target": 1, "unit": "", "holds": True}],
    }


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "toy.json"
    path.write_text(json.dumps(content))
    return path


def test_written_result_reads_back(tmp_path: Path) -> None:
    path = written(tmp_path, record())
    result = read_result(path)
    write_result(result, path)
    assert read_result(path) == result
    assert json.loads(path.read_text()) == record()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("benchmark", "other"),
        ("benchmark", ""),
        ("date", "yesterday"),
        ("date", "2025-01-02T03:04:05"),
        ("date", "2025-01-02T03:04:05+02:00"),
        ("commit", "0123"),
        ("hardware", ""),
        ("versions", {}),
        ("seeds", []),
        ("seeds", [0.5]),
        ("command", "make"),
        ("rows", []),
        ("rows", [{}]),
        ("rows", [{"a": float("nan")}]),
        ("rows", [{"a": {"b": 1}}]),
        ("rows", [{"a": [[1]]}]),
    ],
)
def test_bad_field_is_refused(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        read_result(written(tmp_path, record() | {field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("what", ""), ("measured", float("inf")), ("target", None), ("unit", 3), ("holds", None), ("holds", "yes")],
)
def test_bad_claim_is_refused(tmp_path: Path, field: str, value: object) -> None:
    content = record()
    content["claims"][0][field] = value
    with pytest.raises(ValueError, match=field):
        read_result(written(tmp_path, content))


def test_missing_and_additional_keys_are_refused(tmp_path: Path) -> None:
    without = record()
    del without["seeds"]
    for content in (without, record() | {"extra": 1}):
        with pytest.raises(ValueError, match="exactly"):
            read_result(written(tmp_path, content))


def test_claims_judge_by_their_direction() -> None:
    assert Claim.at_least("a", 2.0, 2.0, "").holds is True
    assert Claim.at_least("a", 1.9, 2.0, "").holds is False
    assert Claim.at_most("a", 2.0, 2.0, "").holds is True
    assert Claim.at_most("a", 2.1, 2.0, "").holds is False
    assert Claim.at_most("a", None, 2.0, "").holds is None


def test_command_is_what_is_typed() -> None:
    options = {"max_size": 3, "quick": True, "slow": False, "workers": None}
    assert command("toy", options) == "python -m benchmarks.toy --max-size 3 --quick"


def test_result_of_this_moment_is_of_the_form(tmp_path: Path) -> None:
    made = make_result("toy", {"count": 3}, seeds=[0], rows=[{"a": 1}], claims=[])
    assert read_result(write_result(made, tmp_path / "toy.json")) == made
    assert {"python", "torch", "deap"} <= set(made.versions)
