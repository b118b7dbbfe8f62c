"""The CIFAR-100 benchmark in small: both stages, taken up again, and with a run that was made elsewhere."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import cifar100, cifar100_deit
from benchmarks.cifar100_command import shown
from benchmarks.cifar100_searches import FinishedSearch, Searches
from benchmarks.cifar100_settings import DEIT, FULL, MARKS, QUICK, REDUCED
from benchmarks.cifar100_stages import finished_search, further_methods, labelled
from benchmarks.cifar100_table import claims
from benchmarks.result import read_result
from kdzero_gp import load
from kdzero_gp.comparison import Comparison
from kdzero_gp.comparison.entries import make_entries
from kdzero_gp.comparison.report import Facts
from kdzero_gp.comparison.setup import comparison_config
from kdzero_gp.comparison.statistics import make_rows
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import FullResult
from kdzero_gp.session.config import make_config
from kdzero_gp.tasks.presets import REPDISTILLER


def invoke(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "250"}).invoke(cifar100.app, ["--quick", *map(str, arguments)])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    folder = tmp_path_factory.mktemp("cifar100")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        outcome = invoke("--workers", 1, "--keep", folder / "keep", "--out", folder / "cifar100.json")
    assert outcome.exit_code == 0, outcome.output
    return folder


@pytest.fixture(autouse=True)
def _shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


def test_the_table_has_every_method_and_every_training(first: Path) -> None:
    result = read_result(first / "cifar100.json")
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
    assert not [text for text in facts.values() if str(first) in str(text)], "a path of this machine"
    assert len(result.claims) >= 4


def test_the_same_command_reads_what_is_there(first: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (first / "keep" / "comparison" / "trainings").iterdir()}
    outcome = invoke("--workers", 1, "--keep", first / "keep", "--out", first / "again" / "cifar100.json")
    assert outcome.exit_code == 0, outcome.output
    assert {p: p.stat().st_mtime_ns for p in (first / "keep" / "comparison" / "trainings").iterdir()} == before
    again = read_result(first / "again" / "cifar100.json")
    assert again.part("methods") == read_result(first / "cifar100.json").part("methods")


def test_a_run_and_a_comparison_made_elsewhere_are_taken(first: Path, tmp_path: Path) -> None:
    run = shutil.copytree(first / "keep" / "search", tmp_path / "run")
    comparison = shutil.copytree(first / "keep" / "comparison", tmp_path / "comparison")
    before = {p.name: p.stat().st_mtime_ns for p in (comparison / "trainings").iterdir()}
    out, data = tmp_path / "cifar100.json", f"npz:{first / 'keep' / 'small.npz'}"
    call = ("--workers", 1, "--data", data, "--run", run, "--comparison", comparison, "--out", out)
    outcome = invoke(*call, "--seeds", 3)
    assert outcome.exit_code == 0, outcome.output
    assert [row["n"] for row in read_result(out).part("methods")] == [3] * 5
    after = {p.name: p.stat().st_mtime_ns for p in (comparison / "trainings").iterdir()}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(before) // 2


def test_several_run_seeds_have_rows_of_their_own_and_claims_about_their_mean(first: Path, tmp_path: Path) -> None:
    runs, data = [first / "keep" / "search", tmp_path / "run1"], f"npz:{first / 'keep' / 'small.npz'}"
    setting = replace(QUICK, search={**QUICK.search, "seed": 1})
    finished_search(runs[1], setting, {"data": data, "workers": 1}, Console(quiet=True))
    keep = shutil.copytree(first / "keep", tmp_path / "keep")
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


def test_runs_that_differ_in_more_than_the_seed_are_refused(first: Path, tmp_path: Path) -> None:
    run, data = first / "keep" / "search", f"npz:{first / 'keep' / 'small.npz'}"
    twice = invoke("--data", data, "--run", run, "--run", run)
    assert twice.exit_code == 2
    assert "error: the runs have the seeds [0, 0], but each must have one of its own" in twice.output
    setting = replace(QUICK, search={**QUICK.search, "seed": 1, "epochs": 2})
    finished_search(tmp_path / "longer", setting, {"data": data, "workers": 1}, Console(quiet=True))
    longer = invoke("--data", data, "--run", run, "--run", tmp_path / "longer")
    assert longer.exit_code == 2
    assert "error: the runs of seed 0 and 1 differ in epochs; give runs that differ in the seed alone" in longer.output


def test_further_methods_are_added_and_what_was_found_has_a_name(first: Path, tmp_path: Path) -> None:
    keep = shutil.copytree(first / "keep", tmp_path / "keep")
    before = {p.name for p in (keep / "comparison" / "trainings").iterdir()}
    data = f"npz:{first / 'keep' / 'small.npz'}"
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


def test_words_stand_for_what_was_found_in_sums_alone() -> None:
    files = {"evolved": Path("run/best.json"), "random": Path("run/random.json")}
    also = labelled("a=evolved + random,b=dkd + evolved,c=weight(1, l2(logits)) + evolved")
    assert further_methods(also, files) == [
        "a=run/best.json + run/random.json",
        "b=dkd + run/best.json",
        "c=weight(1, l2(logits)) + run/best.json",
    ]
    assert labelled(None) == []
    with pytest.raises(ConfigError, match="without a label"):
        labelled("kd + evolved")
    with pytest.raises(ConfigError, match="no random arm"):
        further_methods(labelled("a=kd + random"), {"evolved": Path("best.json")})
    assert shown("a=kd + /home/x/best.json,b=at + evolved") == "'a=kd + FILE,b=at + evolved'"


def test_help_says_how_the_data_are_made() -> None:
    for app in (cifar100.app, cifar100_deit.app):
        text = " ".join(CliRunner(env={"COLUMNS": "250"}).invoke(app, ["--help"]).output.split())
        assert "x = d[b'data'].reshape(-1, 3, 32, 32)" in text
        assert "not looked at" not in text, "the tables stand on the test images"


def test_a_run_of_another_pair_or_none_is_refused(first: Path, tmp_path: Path) -> None:
    full = CliRunner().invoke(
        cifar100.app,
        ["--full", "--data", "npz:x.npz", "--weights", "x.pt", "--run", str(first / "keep" / "search")],
    )
    assert full.exit_code == 2
    assert "has the teacher cnn4, but this benchmark is about resnet56" in full.output
    missing = invoke("--run", tmp_path)
    assert missing.exit_code == 2
    assert "error: " in missing.output


def test_the_settings_are_those_of_the_commands() -> None:
    for setting in (REDUCED, FULL, DEIT):
        searched = make_config(
            data="npz:x.npz", teacher=setting.teacher, student=setting.student, **setting.shared, **setting.search
        )
        given = {"data": "npz:x.npz", "teacher": setting.teacher, "student": setting.student, **setting.shared}
        given |= setting.compare
        trained, _ = comparison_config(given, given.pop("preset", None))
        assert searched.teacher_norm == trained.teacher_norm == "cifar100", "as the published weights were trained"
    pair = {"data": "npz:x.npz", "student": "resnet20"}
    config, recipe = comparison_config({**pair, **FULL.shared, **FULL.compare}, None)
    assert (recipe, config.views, config.cache_gb) == (REPDISTILLER, 240, 0)
    options = {**pair, **REDUCED.shared, **REDUCED.compare}
    config, short = comparison_config(options, options.pop("preset", None))
    assert short.epochs < 20
    assert config.cache_gb > 0, "on a CPU the teacher runs once for each view"


def comparison(accuracies: dict[str, list[float]]) -> Comparison:
    texts = {"evolved": "evolved=weight(1, kl(logits, 2))", "random": "random=weight(1, kl(logits, 3))"}
    entries = make_entries([texts.get(name, name) for name in accuracies], ("stage1",))
    results = {e.key: [FullResult({"accuracy": a}, 1.0, None) for a in accuracies[e.label]] for e in entries}
    rows, baseline = make_rows(entries, results, {})
    facts = Facts("x", 1, 2, 1, 0.7263, baseline, {}, "2025-01-02T03:04:05+00:00", "a machine", {})
    return Comparison(Path(), rows, facts)


ONE = Searches((FinishedSearch(Path(), {"seed": 0}, Path(), None, {}, 1.0, ""),))


def test_published_accuracies_are_marks_of_the_full_recipe_alone() -> None:
    given = {"none": [0.69, 0.70], "dkd": [0.72, 0.70], "evolved": [0.73, 0.726], "random": [0.70, 0.71]}
    short = claims(comparison(given), ONE, published=False)
    assert [claim.measured for claim in short[:3]] == pytest.approx([3.3, 2.3, 1.8])
    assert all(claim.holds for claim in short[:3])
    full = {claim.what: claim for claim in claims(comparison(given), ONE, published=True)}
    assert full["evolved, test accuracy"].target == pytest.approx(MARKS["dkd"] + 0.5)
    assert full["evolved, test accuracy"].measured == pytest.approx(72.8)
    assert full["student alone, test accuracy, published 69.06 %"].holds is True
    assert full["DKD, test accuracy, published 71.97 %"].holds is False
    assert not [claim for claim in short if "published" in claim.what]


def test_the_transformers_script_makes_a_table_of_its_own(first: Path, tmp_path: Path) -> None:
    keep = shutil.copytree(first / "keep", tmp_path / "keep")
    data = f"npz:{first / 'keep' / 'small.npz'}"
    call = (
        "--quick",
        "--workers",
        "1",
        "--data",
        data,
        "--keep",
        str(keep),
        "--out",
        str(tmp_path / "cifar100_deit.json"),
    )
    outcome = CliRunner(env={"COLUMNS": "250"}).invoke(cifar100_deit.app, call)
    assert outcome.exit_code == 0, outcome.output
    result = read_result(tmp_path / "cifar100_deit.json")
    assert result.benchmark == "cifar100_deit"
    assert result.part("methods") == read_result(first / "cifar100.json").part("methods")
