"""The cost of the final training: its ratios, and a small run in processes of its own."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.train_cost import __main__ as train_cost


def test_ratios_are_over_the_bare_loops_median() -> None:
    measured = {
        train_cost.BARE: [
            {"wall": 7.0, "processor": s, "peak MiB": 100.0, "imports MiB": 50.0} for s in (2.0, 1.0, 9.0)
        ],
        "train, kd": [{"wall": 8.0, "processor": s, "peak MiB": 130.0, "imports MiB": 50.0} for s in (2.2, 2.4, 2.0)],
    }
    bare, kd = train_cost.summary(measured, ("a", "b"), 10, 1)
    assert (bare["x bare's CPU"], bare["x bare's peak"]) == (1.0, 1.0)
    assert kd["x bare's CPU"] == pytest.approx(1.1)
    assert kd["x bare's peak"] == pytest.approx(1.3)
    assert [claim.holds for claim in train_cost.claims([bare, kd])] == [True, True]


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = (train_cost.BARE, "train, logits and features")
    monkeypatch.setattr(train_cost, "WAYS", {name: train_cost.WAYS[name] for name in ways})
    out = tmp_path / "train_cost.json"
    done = CliRunner().invoke(train_cost.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    assert [row["way"] for row in result.rows] == list(ways)
    assert all(float(str(row["s per epoch"])) >= float(str(row["CPU s"])) / 8 > 0 for row in result.rows)
    assert all(float(str(row["peak MiB"])) >= float(str(row["of it imports MiB"])) > 50 for row in result.rows)
    assert len(result.claims) == 2
