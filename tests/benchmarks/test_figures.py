"""The paper's figures in small: everything is trained, drawn, and taken up again."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")

from benchmarks import figures
from benchmarks.cifar100_settings import REDUCED
from benchmarks.figures_comparisons import begin_with, compared, evolved_file
from benchmarks.figures_settings import Plan, Teacher, cifar100, digits, quick
from benchmarks.figures_trainings import Job, carry_out, student_jobs, teacher_jobs, with_weights
from benchmarks.result import RESULTS, read_result
from kdzero_gp.comparison.setup import comparison_config
from kdzero_gp.distiller.export import load
from kdzero_gp.errors import ConfigError
from kdzero_gp.figures.comparison_tables import read_table
from kdzero_gp.fit.files import read_json
from kdzero_gp.tasks.normalisation import parse_normalisation

FIGURES = {"capacity", "capacity-added", "curves", "tsne", "correlation", "cam"}
MACHINE = {"amp": False, "device": "cpu"}


@pytest.fixture(autouse=True)
def _shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    call = ["--quick", "--setting", "cifar100", "--workers", "1", "--keep", str(folder / "keep")]
    call += ["--out", str(folder / "figures"), "--result", str(folder / "figures_cifar100.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        done = CliRunner(env={"COLUMNS": "250"}).invoke(figures.app, call)
    assert done.exit_code == 0, done.output
    return folder


def small(folder: Path) -> Plan:
    return quick("figures_cifar100", f"npz:{folder / 'keep' / 'small.npz'}")


def changes(folder: Path) -> dict[Path, int]:
    """When every file that a training or comparison left was written."""
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


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


def test_a_teacher_that_was_trained_here_teaches_as_it_was_trained(first: Path) -> None:
    plan = small(first)
    job = teacher_jobs(plan, first / "keep", MACHINE)["cnn2"]
    teacher = with_weights(plan.teachers[1], job)
    seen = job.result["input"]
    assert parse_normalisation(str(teacher.options["teacher_norm"])) == (tuple(seen["mean"]), tuple(seen["std"]))
    accuracy = read_table(first / "keep" / "comparisons" / "cnn2").teacher_accuracy
    assert accuracy == pytest.approx(job.result["top1"])


def test_what_is_there_is_not_done_again(first: Path) -> None:
    plan, keep = small(first), first / "keep"
    before = changes(keep / "trainings") | changes(keep / "teachers")
    evolved = evolved_file(plan, keep, MACHINE)
    students = student_jobs(plan, keep, evolved, MACHINE)
    said: list[str] = []
    carry_out([*teacher_jobs(plan, keep, MACHINE).values(), *students.values()], 1, said.append)
    assert said == []
    assert changes(keep / "trainings") | changes(keep / "teachers") == before


def test_a_training_that_was_cut_off_goes_on(first: Path, tmp_path: Path) -> None:
    plan, keep = small(first), first / "keep"
    students = student_jobs(plan, keep, evolved_file(plan, keep, MACHINE), MACHINE)
    job = students["kd", 1]
    folder = shutil.copytree(job.folder, tmp_path / "kd-1")
    ended = (folder / "result.json").rename(tmp_path / "before.json")
    carry_out([Job(job.name, folder, job.options)], 1, lambda _: None)
    assert read_json(folder / "result.json")["top1"] == read_json(ended)["top1"]
    with pytest.raises(ConfigError, match="another configuration"):
        carry_out([Job(job.name, folder, {**job.options, "epochs": 2})], 1, lambda _: None)


def test_a_comparison_made_elsewhere_is_taken(first: Path, tmp_path: Path) -> None:
    plan, made = small(first), first / "keep" / "comparisons" / "cnn4"
    evolved = shutil.copy(first / "keep" / "evolved.json", tmp_path / "mine.json")
    folder = tmp_path / "comparison"
    begin_with(folder, made)
    before = changes(folder / "trainings")
    compared(plan, plan.teachers[0], folder, evolved, MACHINE, 1, Console(file=io.StringIO()))
    assert changes(folder / "trainings") == before, "nothing was trained"
    assert read_table(folder).rows == read_table(made).rows
    with pytest.raises(ConfigError, match="no folder of a comparison"):
        begin_with(tmp_path / "other", tmp_path)


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


def test_the_settings_are_those_of_the_benchmarks_beside_them() -> None:
    winner = read_result(RESULTS / "digits.json").part("runs")[0]["evolved formula"]
    assert digits().distiller == winner
    plan = cifar100("npz:x.npz", "x.pt", teacher_images=20, teacher_epochs=2)
    first = plan.teachers[0]
    pair = {"data": "npz:x.npz", "student": plan.student, "teacher": first.name}
    ours = {**pair, **first.options, **plan.recipe}
    theirs = {**pair, "teacher_weights": "x.pt", **REDUCED.shared, **REDUCED.compare}
    assert comparison_config(ours, ours.pop("preset")) == comparison_config(theirs, theirs.pop("preset"))
    assert [teacher.name for teacher in plan.teachers] == ["resnet56", "resnet20", "resnet8"]
    assert all(isinstance(t, Teacher) and dict(t.training or {})["limit"] == 20 for t in plan.teachers[1:])


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
