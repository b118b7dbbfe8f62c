"""The paper's figures in small: everything is trained and drawn."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.figures import __main__ as figures
from benchmarks.harness.result import read_result
from kdzero_gp.export.distiller_file import load
from kdzero_gp.plot.comparison_tables import read_table
from kdzero_gp.train.files import read_json

pytestmark = pytest.mark.usefixtures("shared_cache")


FIGURES = {"capacity", "capacity-added", "curves", "tsne", "correlation", "cam"}


def test_every_figure_is_drawn_and_every_training_has_a_row(first: Path) -> None:
    files = {path.name for path in (first / "figures").iterdir()}
    assert files == {f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg", "csv")}
    result = read_result(first / "figures_cifar100.json")
    assert {str(row["figure"]) for row in result.part("figures")} == FIGURES
    trained = {(row["trained"], row["seed"]): row for row in result.part("trainings")}
    students = {(name, seed) for name in ("student alone", "KD", "DKD", "evolved") for seed in (0, 1)}
    assert set(trained) == {("teacher cnn2", 0), *students}
    assert len(result.part("comparisons")) == 2 * 4
    assert {row["distiller"] for row in result.part("comparisons")} == {"student alone", "KD", "evolved", "kd+evolved"}
    assert str(first) not in (first / "figures_cifar100.json").read_text(), "a path of this machine"
    assert result.command.startswith("python -m benchmarks.figures_cifar100 --quick")


def test_rows_are_what_the_folders_hold(first: Path) -> None:
    result = read_result(first / "figures_cifar100.json")
    own = {row["trained"]: row["test %"] for row in result.part("trainings") if row["seed"] == 1}
    assert own["DKD"] == pytest.approx(100 * read_json(first / "keep" / "trainings" / "dkd-1" / "result.json")["top1"])
    for name in ("cnn4", "cnn2"):
        table = read_table(first / "keep" / "comparisons" / name)
        row: Any = table.row("kd+evolved")
        (found,) = [r for r in result.part("comparisons") if (r["teacher"], r["distiller"]) == (name, "kd+evolved")]
        assert found["every training"] == pytest.approx([100 * value for value in row.accuracy])
        assert found["test %"] == pytest.approx(50 * sum(row.accuracy))


def test_a_text_form_is_calibrated_and_another_distiller_is_refused(first: Path) -> None:
    keep = first / "keep"
    kept = load(keep / "evolved.json")
    assert str(kept.tree) == "weight(10, l2(logits))"
    assert kept.calibration.tolist() != [1.0]
    call = ["--quick", "--workers", "1", "--keep", str(keep), "--distiller", "weight(1, l1(logits))"]
    done = CliRunner(env={"COLUMNS": "250"}).invoke(figures.app, call)
    assert done.exit_code == 2
    assert "holds trainings of the distiller weight(10, l2(logits))" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["--data", "npz:x.npz"], "--data and --weights are of --setting cifar100"),
        (["--setting", "cifar100"], "--data and --weights are needed"),
        (["--setting", "letters"], "letters"),
    ],
)
def test_calls_that_cannot_be_meant_are_refused(call: list[str], said: str) -> None:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(figures.app, call)
    assert done.exit_code == 2
    assert said in done.output
