"""Methods x seeds on the digits: what is shared, what is kept, what is refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from kdzero_gp import Distiller
from kdzero_gp.compare.comparison import compare
from kdzero_gp.compare.entries import make_entries
from kdzero_gp.compare.setup import comparison_config, comparison_task
from kdzero_gp.errors import ConfigError, KdzeroError, StoreError
from kdzero_gp.export.distiller_file import save
from kdzero_gp.loops.single import Training
from kdzero_gp.randomness import derive_seed
from kdzero_gp.tasks.presets import REPDISTILLER

TINY: dict[str, Any] = {
    "teacher": "cnn4",
    "limit": 128,
    "epochs": 2,
    "batch_size": 32,
    "seed": 5,
    "workers": 1,
    "executor": "inprocess",
}
BROKEN = """
import torch
from kdzero_gp import Logits, PerSample, distance

@distance(Logits, formula="x")
def {name}(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    \"\"\"Fine with what registration shows it, and no friend of batches of 32.\"\"\"
    if len(student) == 32:
        raise RuntimeError("no batches of 32, please")
    return (student - teacher).square().mean(1)
"""


def trainings(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (folder / "trainings").iterdir()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Any:
    """A finished comparison, to be left alone."""
    os.environ["KDZERO_GP_CACHE"] = teacher_cache
    return compare("none,kd,dkd", seeds=2, out=tmp_path_factory.mktemp("first") / "c", **TINY)


def test_a_training_is_the_recipes_and_the_methods_own(first: Any, tmp_path: Path) -> None:
    """Seed 1 of dkd by hand: its seeds, its weights, its warm-up, and the accuracy counted image by image."""
    options = {name: value for name, value in TINY.items() if name not in ("workers", "executor")}
    config, recipe = comparison_config(options, None)
    task = comparison_task(config, recipe)
    seeds = {use: derive_seed(5, "full", "test", use, 1) for use in ("student", "batches")}
    tree = make_entries(["dkd"], task.student_taps.stages)[0].named.tree
    assert tree is not None
    own = derive_seed(5, "full", "test", f"distiller {tree}", 1)
    training = Training(
        task,
        Distiller(tree, seed=own),
        recipe,
        student_seed=seeds["student"],
        order_seed=seeds["batches"],
        distiller_warmup=round(20 / 240 * 2 * (len(task.data.train) // 32)),
    )
    training.advance(training.steps)
    student = training.student.eval()
    right = among_five = 0
    images, labels = task.data.normalise(task.data.test.images), task.data.test.labels
    with torch.no_grad():
        for scores, label in zip(student(images), labels.tolist(), strict=True):
            order = sorted(range(10), key=lambda k: -float(scores[k]))
            right += order[0] == label
            among_five += label in order[:5]
    row = next(row for row in first.rows if row.label == "dkd")
    assert row.accuracy[1] == pytest.approx(right / len(labels), abs=1e-9)
    assert row.top5[1] == pytest.approx(among_five / len(labels), abs=1e-9)


def test_all_methods_of_a_seed_begin_alike(first: Any, tmp_path: Path) -> None:
    """A distiller that weighs nothing to speak of is the student alone, on its own pairs."""
    found = compare("x=weight(1e-30, kl(logits, 4))", seeds=2, out=tmp_path / "c", **TINY)
    alone = next(row for row in first.rows if row.label == "none")
    assert found.rows[0].accuracy == alone.accuracy
    assert len(set(alone.accuracy)) == 2


def test_the_report_says_what_the_rows_say(first: Any) -> None:
    text = (first.folder / "table.txt").read_text()
    record = json.loads((first.folder / "table.json").read_text())
    with (first.folder / "table.csv").open(newline="") as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert {row["label"] for row in record["rows"]} == set(lines) == {"none", "kd", "dkd"}
    for row in first.rows:
        assert float(lines[row.label]["accuracy_percent"]) == pytest.approx(100 * row.mean, abs=1e-5)
        assert float(lines[row.label]["seed_1_percent"]) == pytest.approx(100 * row.accuracy[1], abs=1e-5)
        assert f"{100 * row.mean:.2f} ± {100 * row.std:.2f}" in text
    assert f"against {first.facts.baseline}, the best hand-designed method, n = 2" in text
    assert record["settings"]["recipe"]["epochs"] == 2
    assert record["settings"]["seed"] == 5
    assert "<svg" in (first.folder / "table.svg").read_text()
    assert (first.folder / "table.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_again_trains_nothing_and_more_only_adds(first: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    compare("none,kd", seeds=1, out=folder, **TINY)
    before = trainings(folder)
    assert len(before) == 2
    found = compare("dkd,none,kd", seeds=2, out=folder, **TINY)
    after = trainings(folder)
    assert len(after) == 6
    assert {name: after[name] for name in before} == before
    assert [(row.label, row.accuracy) for row in found.rows] == [(row.label, row.accuracy) for row in first.rows]
    fewer = compare("none", seeds=1, out=folder, **TINY)
    assert trainings(folder) == after
    assert fewer.rows[0].accuracy == next(row for row in first.rows if row.label == "none").accuracy[:1]


def test_another_recipe_or_pair_is_refused_by_name(first: Any) -> None:
    before = trainings(first.folder)
    for change, field in (
        ({"epochs": 3}, "recipe.epochs: the comparison has 2, but 3 was given"),
        ({"lr": 0.01}, "recipe.lr"),
        ({"student": "cnn4"}, "student.name"),
        ({"teacher_norm": "0.3/0.2"}, "teacher.input"),
        ({"student_input": 16}, "student.input"),
        ({"limit": 160}, "data.fingerprint"),
        ({"augment": "crop-flip"}, "augmentation.flip"),
        ({"seed": 6}, "seed: the comparison has 5, but 6"),
    ):
        with pytest.raises(StoreError, match=field):
            compare("none", seeds=1, out=first.folder, **(TINY | change))
    assert trainings(first.folder) == before


def test_a_failing_training_is_a_failed_cell(tmp_path: Path) -> None:
    ops = tmp_path / "ops.py"
    ops.write_text(BROKEN.format(name="picky"))
    methods, folder = ["none", "bad=weight(1, picky(logits))"], tmp_path / "c"
    from kdzero_gp.grammar.registry import active_registry

    with active_registry().copy().active():
        found = compare(methods, seeds=1, out=folder, primitives=(str(ops),), **TINY)
        bad = next(row for row in found.rows if row.label == "bad")
        assert (bad.accuracy, bad.mean, bad.gain) == ((None,), None, None)
        assert "no batches of 32, please" in bad.errors[0]
        assert found.rows[0].mean is not None
        text = (folder / "table.txt").read_text()
        assert "failed: bad, seed 0: RuntimeError: no batches of 32, please" in text
        before = trainings(folder)
        compare(methods, seeds=1, out=folder, primitives=(str(ops),), **TINY)
        assert trainings(folder) == before, "a failure is a result, too"
        compare(methods, seeds=1, out=folder, primitives=(str(ops),), retry_failed=True, **TINY)
        changed = {name for name, content in trainings(folder).items() if before[name] != content}
        assert len(changed) == 1


def test_files_keep_their_calibration_and_texts_may_get_one(tmp_path: Path) -> None:
    text = "weight(1, l2(stage2))"
    plain = compare(f"t={text}", seeds=1, out=tmp_path / "plain", **TINY)
    scaled = compare(f"t={text}", seeds=1, out=tmp_path / "scaled", calibrate="gradient", **TINY)
    (record,) = [json.loads(file.read_text()) for file in (tmp_path / "scaled" / "trainings").iterdir()]
    file = save(Distiller(text, calibration=record["calibration"]), tmp_path / "best.json")
    stored = compare(f"f={file}", seeds=1, out=tmp_path / "plain", **TINY)
    assert stored.rows[0].accuracy == scaled.rows[0].accuracy != plain.rows[0].accuracy
    assert stored.rows[0].learned == scaled.rows[0].learned > 0, "stage2 needs an aligner"


def test_kill_9_costs_the_training_at_hand_and_no_other(first: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    options = ["--seeds", "2", "--teacher", "cnn4", "--limit", "128", "--batch-size", "32", "--seed", "5"]
    command = [sys.executable, "-m", "kdzero_gp.compare", "--methods", "none,kd,dkd", *options, "--epochs", "2"]
    process = subprocess.Popen(
        [*command, "--workers", "1", "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 300
    while not list((folder / "trainings").glob("*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    before = trainings(folder)
    assert before, err
    found = compare("none,kd,dkd", seeds=2, out=folder, **TINY)
    assert {name: trainings(folder)[name] for name in before} == before
    assert [row.accuracy for row in found.rows] == [row.accuracy for row in first.rows]


def test_the_published_recipe_is_the_default_where_there_is_one() -> None:
    config, recipe = comparison_config({"data": "npz:x.npz", "student": "resnet20"}, None)
    assert recipe == REPDISTILLER
    assert (config.augment, config.views, config.cache_gb) == ("crop-flip", 240, 0)
    given = {"data": "npz:x.npz", "student": "resnet20", "cache_gb": 2, "views": 3, "epochs": 60, "workers": 2}
    config, recipe = comparison_config(given, None)
    assert (recipe.epochs, config.views, config.cache_gb, config.workers) == (60, 3, 2, 2)
    config, recipe = comparison_config({}, "imagenet")
    assert (recipe.epochs, config.augment) == (100, "none")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        ({"methods": "kdd"}, "Did you mean 'kd'"),
        ({"methods": "kd", "seeds": 0}, "--seeds is 0, but must be from 1"),
        ({"methods": "kd", "calibrate": "yes"}, "--calibrate is 'yes', but should be 'none' or 'gradient'"),
        ({"methods": "kd", "train_on": "some"}, "--train-on is 'some', but"),
        ({"methods": "kd", "preset": "mine"}, "there is no preset 'mine'; known are repdistiller"),
        ({"methods": "kd", "pop": 3}, "a comparison has no option `pop`"),
        ({"methods": "kd", "epoch": 3}, "did you mean `epochs`"),
        ({"methods": "kd", "epochs": 0}, "--epochs is 0"),
        ({"methods": "weight(1, l2(stage9))"}, "found `stage9`"),
    ],
)
def test_bad_calls_are_told_before_anything_is_written(tmp_path: Path, call: Any, match: str) -> None:
    with pytest.raises(KdzeroError, match=match):
        compare(out=tmp_path / "c", **(TINY | call))
    assert not (tmp_path / "c").exists()


def test_a_method_that_does_not_fit_the_pair_is_named(tmp_path: Path) -> None:
    model = tmp_path / "wide_user_model.py"
    model.write_text(
        "import torch\n"
        "def flat(num_classes, in_channels):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(in_channels * 64, num_classes))\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ConfigError, match="at"):
            compare("at", out=tmp_path / "c", **(TINY | {"student": "wide_user_model:flat"}))
    finally:
        sys.path.remove(str(tmp_path))
    assert not (tmp_path / "c").exists()


def test_students_in_one_program_give_the_same_table_but_for_rounding(first: Any, tmp_path: Path) -> None:
    found = compare("none,kd,dkd", seeds=2, out=tmp_path / "c", fuse="3", **TINY)
    alone = {row.label: row for row in first.rows}
    for row in found.rows:
        assert row.accuracy == pytest.approx(alone[row.label].accuracy, abs=0.03)
    assert len(trainings(tmp_path / "c")) == 6


def test_a_task_of_ones_own_is_compared_in_this_process(tmp_path: Path) -> None:
    config, recipe = comparison_config({"teacher": "cnn4", "limit": 128, "batch_size": 32, "epochs": 1}, None)
    task = comparison_task(config, recipe)
    found = compare("none,kd", seeds=1, out=tmp_path / "c", task=task)
    assert {row.label: row.trained for row in found.rows} == {"none": 1, "kd": 1}
    with pytest.raises(ConfigError, match="a task of your own cannot travel"):
        compare("none,kd", seeds=1, out=tmp_path / "d", task=task, workers=2)
    with pytest.raises(ConfigError, match="executor is processes, but a task of your own"):
        compare("none,kd", seeds=1, out=tmp_path / "d", task=task, executor="processes")


def test_the_validation_images_are_trained_on_unless_they_are_not_to_be(tmp_path: Path) -> None:
    config, recipe = comparison_config({"teacher": "cnn4", "limit": 128}, None)
    every, fewer = comparison_task(config, recipe, "all").data, comparison_task(config, recipe, "train").data
    assert len(fewer.train) == 128
    assert torch.equal(every.train.labels, torch.cat([fewer.train.labels, fewer.val.labels]))
    assert torch.equal(every.test.images, fewer.test.images)
    compare("none", seeds=1, out=tmp_path / "c", **TINY)
    with pytest.raises(StoreError, match=r"data\.trained on: the comparison has .all., but .train. was given"):
        compare("none", seeds=1, out=tmp_path / "c", train_on="train", **TINY)
