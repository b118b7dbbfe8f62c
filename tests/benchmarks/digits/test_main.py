"""The digits benchmark in small, taken up where it stopped."""

from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from benchmarks.digits import __main__ as digits
from benchmarks.harness.result import Result, read_result


def run(app: Typer, *arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--quick", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("shared_cache")
def test_digits_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    out, keep = tmp_path / "digits.json", tmp_path / "runs"
    call = ["--workers", "1", "--keep", str(keep), "--out", str(out)]
    run(digits.app, "--seeds", "1", *call)
    first = read_result(out)
    history = (keep / "seed-0" / "history.jsonl").read_bytes()
    changed = {path: path.stat().st_mtime_ns for path in (keep / "seed-0").glob("*.jsonl")}
    run(digits.app, "--seeds", "2", *call)
    second = read_result(out)
    assert (keep / "seed-0" / "history.jsonl").read_bytes() == history
    assert {path: path.stat().st_mtime_ns for path in (keep / "seed-0").glob("*.jsonl")} == changed
    assert second.part("runs")[0] == first.part("runs")[0]
    assert [row["run seed"] for row in second.part("runs")] == [0, 1]
    check_accuracies(second)
    other = CliRunner().invoke(digits.app, ["--pop", "3", "--gens", "1", "--seeds", "1", *call])
    assert other.exit_code == 2
    assert "pop" in other.output
    assert read_result(out) == second, "a refused call writes nothing"


def check_accuracies(result: Result) -> None:
    """Means over runs and over trainings, by plain loops."""
    rows = result.part("accuracy")
    assert [row["distiller"] for row in rows] == ["student alone", "KD", "random search best", "evolved best"]
    for row in rows:
        every: Any = row["every training"]
        means: Any = row["mean of each run"]
        assert len(every) == 4
        assert means == pytest.approx([(every[0] + every[1]) / 2, (every[2] + every[3]) / 2])
        assert row["test accuracy %"] == pytest.approx(sum(means) / 2)
        assert row["test accuracy % std"] == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
        assert all(0 <= accuracy <= 100 for accuracy in every)
