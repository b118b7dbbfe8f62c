"""Single trainings of the figures: what is there is not done again, and what was cut off goes on."""

import shutil
from pathlib import Path

import pytest

from benchmarks.figures.comparisons import evolved_file
from benchmarks.figures.settings import Plan, quick
from benchmarks.figures.trainings import Job, carry_out, student_jobs, teacher_jobs, with_weights
from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.comparison_tables import read_table
from kdzero_gp.tasks.input import parse_normalisation
from kdzero_gp.train.files import read_json

pytestmark = pytest.mark.usefixtures("shared_cache")


MACHINE = {"amp": False, "device": "cpu"}


def small(folder: Path) -> Plan:
    return quick("figures_cifar100", f"npz:{folder / 'keep' / 'small.npz'}")


def changes(folder: Path) -> dict[Path, int]:
    """When every file that a training or comparison left was written."""
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


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
