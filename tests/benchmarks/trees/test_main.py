"""The trees benchmark in small."""

from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.trees import __main__ as trees


def run(app: Typer, *arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--quick", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("shared_cache")
def test_trees(tmp_path: Path) -> None:
    output = run(trees.app, "--out", str(tmp_path / "trees.json"))
    result = read_result(tmp_path / "trees.json")
    assert [claim.measured for claim in result.claims] == [100.0] * 5
    assert all(claim.holds for claim in result.claims)
    assert sum(int(row["trees"]) for row in result.part("screening")) == trees.QUICK_SCREENED  # type: ignore[arg-type]
    assert not result.part("errors")
    assert "type-valid" in output


def test_trees_draw_the_same_trees_for_the_same_seed() -> None:
    assert trees.draw(20, 3) == trees.draw(30, 3)[:20]
    assert trees.draw(20, 3) != trees.draw(20, 4)


@pytest.mark.usefixtures("shared_cache")
def test_quick_writes_nothing_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "RESULTS", tmp_path)
    run(trees.app, "--count", "3", "--screened", "1")
    assert not list(tmp_path.iterdir())
