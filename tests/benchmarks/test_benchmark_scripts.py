"""Every script runs in a small version and writes a result of the one form."""

from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from benchmarks import digits, engine, trees
from benchmarks.result import Result, read_result


def run(app: Typer, *arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--quick", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A teacher of its own, trained once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.usefixtures("cache")
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


def test_engine(tmp_path: Path) -> None:
    run(engine.app, "--out", str(tmp_path / "engine.json"))
    result = read_result(tmp_path / "engine.json")
    timings = result.part("timings")
    assert all(float(row["ours µs"]) > 0 and row["ours failed %"] == 0 for row in timings)  # type: ignore[arg-type]
    assert {row["note"] for row in timings if str(row["operation"]).startswith(("parse", "compile"))} == {
        engine.NOT_CALLED
    }
    for row in result.part("duplicates"):
        if row["engine"] == "ours":
            assert row["evaluations"] == row["distinct effects"] == engine.QUICK.population * 4
        else:
            assert row["distinct effects"] <= row["distinct texts"] <= row["evaluations"]  # type: ignore[operator]


@pytest.mark.usefixtures("cache")
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


@pytest.mark.usefixtures("cache")
def test_quick_writes_nothing_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "RESULTS", tmp_path)
    run(trees.app, "--count", "3", "--screened", "1")
    assert not list(tmp_path.iterdir())
