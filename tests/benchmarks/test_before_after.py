"""The comparison with an older checkout: its arithmetic, and a tiny pair of runs."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.before_after import app, summary
from benchmarks.harness.checkout import ROOT
from benchmarks.harness.result import read_result


def test_ratio_of_medians_and_difference_of_means() -> None:
    rows = [
        {"checkout": which, "seconds": seconds, "evolved": evolved}
        for which, seconds, evolved in (
            ("before", 300.0, 94.0),
            ("before", 330.0, 95.0),
            ("before", 900.0, 96.0),
            ("after", 110.0, 95.0),
            ("after", 100.0, 95.5),
            ("after", 90.0, None),
        )
    ]
    row, (faster, better) = summary(rows)
    assert row["times faster"] == 3.3
    assert faster.measured == pytest.approx(3.3)
    assert better.measured == pytest.approx(0.25)


def test_a_checkout_beside_itself(tmp_path: Path, teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    out = tmp_path / "before_after.json"
    done = CliRunner().invoke(app, ["--quick", "--before", str(ROOT), "--out", str(out)])
    assert done.exit_code == 0, done.output
    before, after = read_result(out).part("runs")
    assert (before["student alone"], before["evolved"]) == (after["student alone"], after["evolved"])
    assert float(str(before["seconds"])) > 0
