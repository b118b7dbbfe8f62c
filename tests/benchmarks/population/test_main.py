"""The population benchmark: its claims by device, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.result import Row, read_result
from benchmarks.population import __main__ as population

ROWS: list[Row] = [
    {"part": "digits", "distillers": "random", "times one by one": 3.0},
    {"part": "digits", "distillers": "random", "times one by one": None},
    {"part": "digits", "distillers": "none", "times one by one": 50.0},
    {"part": "photographs", "distillers": "random", "times one by one": 7.0},
    {"part": "auto", "times one by one": 1.2},
    {"part": "auto", "times one by one": 0.9},
]


def test_claims_of_a_cpu() -> None:
    claims = population.claims(ROWS, "cpu", ("digits", "photographs"))
    assert [claim.measured for claim in claims] == [None, None, 0.9]
    assert claims[2].holds is False


def test_claims_of_a_gpu() -> None:
    claims = population.claims(ROWS, "cuda:0", ("digits", "photographs"))
    assert [claim.measured for claim in claims] == [3.0, 7.0, None]
    assert [claim.holds for claim in claims] == [False, True, None]


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "population.json"
    done = CliRunner().invoke(population.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    for pair in ("cnn2 on digits", "resnet8 on 32x32"):
        rows = result.part(pair)
        assert [row["students"] for row in rows] == [1, 1, 2, 2] * 2
        assert all(float(str(row["student steps/s"])) > 0 for row in rows)
    assert [row["pair"] for row in result.part("auto")] == ["cnn2 on digits", "resnet8 on 32x32"]
    assert all(row["students"] in (1, 2) for row in result.part("auto"))
