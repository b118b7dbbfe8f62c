"""The overhead benchmark: its summary, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.overhead import __main__ as overhead


def test_the_summary_is_over_the_trees_that_did_not_diverge() -> None:
    ratios = [1.0, 1.1, None, 1.2, 2.0]
    rows = [{"bare ms": None if r is None else 10.0, "ratio": r} for r in ratios]
    row = overhead.summary_row(rows, "a -> b", 1, None)
    assert (row["trees"], row["diverged"], row["largest"]) == (4, 1, 2.0)
    assert row["median ratio"] == pytest.approx(1.15)
    assert row["90th percentile"] == pytest.approx(1.2 + 0.7 * 0.8)


def test_a_small_run(tmp_path: Path) -> None:
    out = tmp_path / "overhead.json"
    done = CliRunner().invoke(overhead.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    rows = result.part("candidates")
    assert len(rows) == 2
    assert all(float(str(row["ratio"])) > 0 for row in rows)
    assert {row["step"] for row in result.part("loops")} >= {"student alone", "usual loop's KD"}
    assert all(float(str(row["ms"])) > 0 for row in result.part("parts"))
    assert len(result.claims) == 3
