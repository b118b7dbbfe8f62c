"""The scaling benchmark in small."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.scaling.__main__ import app
from benchmarks.scaling.settings import ALONE, DISPATCH, RATE, SIMULATION


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scaling")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", str(folder / "cache"))
        out = folder / "scaling.json"
        done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--quick", "--no-ray", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_the_script_writes_its_result(output: Path) -> None:
    result = read_result(output)
    assert [row["workers"] for row in result.part(ALONE)] == [1, 2]
    assert all(float(row[RATE]) > 0 for row in result.part(ALONE))  # type: ignore[arg-type]
    assert len(result.part(DISPATCH)) == 1
    assert {row["mode"] for row in result.part(SIMULATION)} == {"steady", "generational"}
    assert all(0 < float(row["busy %"]) <= 100 for row in result.part(SIMULATION))  # type: ignore[arg-type]
    measured = [claim.measured is not None for claim in result.claims]
    assert measured == [True, False, True, False, False], "without Ray, and without a simulation of 1,000 workers"
