"""The engine benchmark in small."""

from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from benchmarks.engine import __main__ as engine
from benchmarks.engine.timings import NOT_CALLED
from benchmarks.harness.result import read_result


def run(app: Typer, *arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--quick", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_engine(tmp_path: Path) -> None:
    run(engine.app, "--out", str(tmp_path / "engine.json"))
    result = read_result(tmp_path / "engine.json")
    timings = result.part("timings")
    assert all(float(row["ours µs"]) > 0 and row["ours failed %"] == 0 for row in timings)  # type: ignore[arg-type]
    assert {row["note"] for row in timings if str(row["operation"]).startswith(("parse", "compile"))} == {NOT_CALLED}
    for row in result.part("duplicates"):
        if row["engine"] == "ours":
            assert row["evaluations"] == row["distinct effects"] == engine.QUICK.population * 4
        else:
            assert row["distinct effects"] <= row["distinct texts"] <= row["evaluations"]  # type: ignore[operator]
