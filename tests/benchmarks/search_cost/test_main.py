"""The share of the plain search's steps, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.search_cost.__main__ import app, claims, summary


def test_a_search_that_never_gets_there_counts_as_the_whole() -> None:
    results = {
        ("plain", 0): [(50, 1.9), (100, 1.5)],
        ("raced", 0): [(10, 1.6), (20, 1.4)],
        ("plain", 1): [(50, 1.9), (100, 1.0)],
        ("raced", 1): [(10, 1.6), (20, 1.4)],
        ("plain", 2): [(50, 1.9), (100, 1.7)],
        ("raced", 2): [(10, 1.6), (20, 1.4)],
    }
    rows = summary(results, range(3))
    assert [row["share of plain"] for row in rows] == [0.2, None, 0.1]
    share, gain = claims(rows)
    assert share.measured == 0.2
    assert share.holds
    assert gain.measured == pytest.approx((0.1 - 0.4 + 0.3) / 3)


def test_the_script_runs(tmp_path: Path, teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    out = tmp_path / "search_cost.json"
    result = CliRunner().invoke(app, ["--quick", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "steps until as good" in out.read_text()
