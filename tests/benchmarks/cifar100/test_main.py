"""The CIFAR-100 benchmark in small: both stages, taken up again, and with a run that was made elsewhere."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import cifar100_deit
from benchmarks.cifar100 import __main__ as cifar100
from benchmarks.cifar100.settings import QUICK
from benchmarks.cifar100.stages import finished_search
from benchmarks.harness.result import read_result
from kdzero_gp import load

pytestmark = pytest.mark.usefixtures("shared_cache")


def invoke(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "250"}).invoke(cifar100.app, ["--quick", *map(str, arguments)])


def test_the_table_has_every_method_and_every_training(small_cifar100: Path) -> None:
    result = read_result(small_cifar100 / "cifar100.json")
    rows = {str(row["distiller"]): row for row in result.part("methods")}
    assert set(rows) == {"student alone", "KD", "DKD", "evolved", "random search"}
    for row in rows.values():
        every: Any = row["every training"]
        assert len(every) == row["n"] == 2
        assert row["test %"] == pytest.approx(sum(every) / 2)
        assert row["test % std"] == pytest.approx(abs(every[0] - every[1]) / 2**0.5)
    assert rows["evolved"]["gain"] == pytest.approx(
        float(rows["evolved"]["test %"]) - float(rows["student alone"]["test %"])  # type: ignore[arg-type]
    )
    facts = {row["what"]: row["value"] for row in result.part("setting")}
    assert facts["images: training / validation / test"] == "174 / 18 / 48"
    assert facts["images that every row is trained on"] == "training and validation, 192"
    assert facts["search, trained with success"] == "2 evolved, 2 at random"
    assert str(facts["evolved"]).startswith(("weight(", "add("))
    assert not [text for text in facts.values() if str(small_cifar100) in str(text)], "a path of this machine"
    assert len(result.claims) >= 4


def test_the_same_command_reads_what_is_there(small_cifar100: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (small_cifar100 / "keep" / "comparison" / "trainings").iterdir()}
    outcome = invoke(
        "--workers", 1, "--keep", small_cifar100 / "keep", "--out", small_cifar100 / "again" / "cifar100.json"
    )
    assert outcome.exit_code == 0, outcome.output
    assert {p: p.stat().st_mtime_ns for p in (small_cifar100 / "keep" / "comparison" / "trainings").iterdir()} == before
    again = read_result(small_cifar100 / "again" / "cifar100.json")
    assert again.part("methods") == read_result(small_cifar100 / "cifar100.json").part("methods")


def test_a_run_and_a_comparison_made_elsewhere_are_taken(small_cifar100: Path, tmp_path: Path) -> None:
    run = shutil.copytree(small_cifar100 / "keep" / "search", tmp_path / "run")
    comparison = shutil.copytree(small_cifar100 / "keep" / "comparison", tmp_path / "comparison")
    before = {p.name: p.stat().st_mtime_ns for p in (comparison / "trainings").iterdir()}
    out, data = tmp_path / "cifar100.json", f"npz:{small_cifar100 / 'keep' / 'small.npz'}"
    call = ("--workers", 1, "--data", data, "--run", run, "--comparison", comparison, "--out", out)
    outcome = invoke(*call, "--seeds", 3)
    assert outcome.exit_code == 0, outcome.output
    assert [row["n"] for row in read_result(out).part("methods")] == [3] * 5
    after = {p.name: p.stat().st_mtime_ns for p in (comparison / "trainings").iterdir()}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(before) // 2


def test_several_run_seeds_have_rows_of_their_own_and_claims_about_their_mean(
    small_cifar100: Path, tmp_path: Path
) -> None:
    runs, data = [small_cifar100 / "keep" / "search", tmp_path / "run1"], f"npz:{small_cifar100 / 'keep' / 'small.npz'}"
    setting = replace(QUICK, search={**QUICK.search, "seed": 1})
    finished_search(runs[1], setting, {"data": data, "workers": 1}, Console(quiet=True))
    keep = shutil.copytree(small_cifar100 / "keep", tmp_path / "keep")
    call = ("--workers", 1, "--data", data, "--keep", keep, "--out", tmp_path / "cifar100.json")
    outcome = invoke(*call, "--run", runs[0], "--run", runs[1], "--also", "kd+evolved=kd + evolved")
    assert outcome.exit_code == 0, outcome.output
    result = read_result(tmp_path / "cifar100.json")
    assert "--run FOLDER --run FOLDER" in result.command
    reached = {str(row["distiller"]): row["test %"] for row in result.part("methods")}
    found = {f"{arm}, run seed {seed}" for arm in ("evolved", "random search") for seed in (0, 1)}
    assert set(reached) == {"student alone", "KD", "DKD", "kd+evolved"} | found
    facts = {row["what"]: row["value"] for row in result.part("setting")}
    assert facts["evolved, run seed 1"] == str(load(runs[1] / "best.json").tree)
    assert facts["search, trained with success, run seed 1"] == "2 evolved, 2 at random"
    mean: dict[str, Any] = {
        arm: (reached[f"{arm}, run seed 0"] + reached[f"{arm}, run seed 1"]) / 2  # type: ignore[operator]
        for arm in ("evolved", "random search")
    }
    claimed = {claim.what: claim.measured for claim in result.claims}
    over = "points of test accuracy, mean over run seeds"
    assert claimed[f"evolved over random search, {over}"] == pytest.approx(mean["evolved"] - mean["random search"])
    assert claimed[f"evolved over KD, {over}"] == pytest.approx(mean["evolved"] - float(str(reached["KD"])))


def test_runs_that_differ_in_more_than_the_seed_are_refused(small_cifar100: Path, tmp_path: Path) -> None:
    run, data = small_cifar100 / "keep" / "search", f"npz:{small_cifar100 / 'keep' / 'small.npz'}"
    twice = invoke("--data", data, "--run", run, "--run", run)
    assert twice.exit_code == 2
    assert "error: the runs have the seeds [0, 0], but each must have one of its own" in twice.output
    setting = replace(QUICK, search={**QUICK.search, "seed": 1, "epochs": 2})
    finished_search(tmp_path / "longer", setting, {"data": data, "workers": 1}, Console(quiet=True))
    longer = invoke("--data", data, "--run", run, "--run", tmp_path / "longer")
    assert longer.exit_code == 2
    assert "error: the runs of seed 0 and 1 differ in epochs; give runs that differ in the seed alone" in longer.output


def test_further_methods_are_added_and_what_was_found_has_a_name(small_cifar100: Path, tmp_path: Path) -> None:
    keep = shutil.copytree(small_cifar100 / "keep", tmp_path / "keep")
    before = {p.name for p in (keep / "comparison" / "trainings").iterdir()}
    data = f"npz:{small_cifar100 / 'keep' / 'small.npz'}"
    file = shutil.copy(keep / "random.json", tmp_path / "mine.json")
    also = f"kd+evolved=kd + evolved,mine={file}"
    call = ("--workers", 1, "--data", data, "--keep", keep, "--out", tmp_path / "cifar100.json")
    outcome = invoke(*call, "--also", also)
    assert outcome.exit_code == 0, outcome.output
    result = read_result(tmp_path / "cifar100.json")
    rows = {str(row["distiller"]): row for row in result.part("methods")}
    assert set(rows) == {"student alone", "KD", "DKD", "evolved", "random search", "kd+evolved", "mine"}
    assert rows["mine"]["every training"] == rows["random search"]["every training"]
    assert len({p.name for p in (keep / "comparison" / "trainings").iterdir()} - before) == 2
    assert "--also 'kd+evolved=kd + evolved,mine=FILE'" in result.command
    assert str(tmp_path) not in result.command


def test_help_says_how_the_data_are_made() -> None:
    for app in (cifar100.app, cifar100_deit.app):
        text = " ".join(CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--help"]).output.split())
        assert "x = d[b'data'].reshape(-1, 3, 32, 32)" in text
        assert "not looked at" not in text, "the tables stand on the test images"


def test_a_run_of_another_pair_or_none_is_refused(small_cifar100: Path, tmp_path: Path) -> None:
    full = CliRunner().invoke(
        cifar100.app,
        ["--full", "--data", "npz:x.npz", "--weights", "x.pt", "--run", str(small_cifar100 / "keep" / "search")],
    )
    assert full.exit_code == 2
    assert "has the teacher cnn4, but this benchmark is about resnet56" in full.output
    missing = invoke("--run", tmp_path)
    assert missing.exit_code == 2
    assert "error: " in missing.output
