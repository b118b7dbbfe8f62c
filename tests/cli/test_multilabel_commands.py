"""`--task multilabel` from an archive to the tables: search, training, comparison, figures, and what is refused."""

import csv
import json
import math
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from kdzero_gp.compare.__main__ import app as compare_app
from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.cam import cam_figure
from kdzero_gp.plot.correlation import correlation_figure
from kdzero_gp.plot.curves import curves_figure
from kdzero_gp.plot.embedding import tsne_figure
from kdzero_gp.train.__main__ import app as train_app

PAIR = ("--task", "multilabel", "--teacher", "cnn4", "--batch-size", "16", "--epochs", "1")
SEARCH = (
    *("--pop", "3", "--gens", "1", "--proxy-epochs", "1", "--final-seeds", "1", "--finalists", "1", "--leaders", "2"),
    *("--leader-seeds", "1", "--workers", "1"),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images whose corners are bright where they have the class."""
    rng = np.random.RandomState(0)
    has = rng.rand(120, 4) < 0.4
    x = rng.randint(0, 60, (120, 8, 8))
    for number, (row, column) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4))):
        x[has[:, number], row : row + 4, column : column + 4] += 150
    path = tmp_path_factory.mktemp("archive") / "corners.npz"
    np.savez(path, x=x.astype(np.uint8), y=has.astype(np.uint8))
    return f"npz:{path}"


def command(app: Any, *arguments: object) -> Any:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        outcome = CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


@pytest.fixture(scope="module")
def whole(archive: str, invoke: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("multilabel") / "run"
    return folder, invoke(*PAIR, *SEARCH, "--data", archive, "--run-dir", folder)


def test_a_search_evolves_by_binary_cross_entropy_and_shows_map(whole: tuple[Path, Any]) -> None:
    folder, outcome = whole
    assert outcome.code == 0, outcome.err
    assert "Test mAP, last epoch, 1 fresh seeds" in outcome.out
    assert "mAP %" in outcome.out
    assert "p vs BKD" in outcome.out
    assert "accuracy" not in outcome.out
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    trained = [entry for entry in history if entry["status"] == "ok"]
    assert trained
    for entry in trained:
        assert set(entry["parts"]) == {"bce", "cka_gap", "map"}
        assert math.isfinite(entry["fitness"])
        assert 0 <= entry["parts"]["map"] <= 1
        assert not re.search(r"\b(kl|hard|softmax_c|logsoftmax_c)\(logits|\bw_(conf|entropy|focal)\(", entry["tree"])
    best = json.loads((folder / "best.json").read_text())
    assert set(best["parts"]) == {"bce", "cka_gap", "map"}
    page = (folder / "gallery" / "index.html").read_text()
    assert "teacher's mAP" in page
    assert "teacher's accuracy" not in page


def test_a_finished_search_is_read_again_and_keeps_its_task(
    whole: tuple[Path, Any], invoke: Callable[..., Any]
) -> None:
    folder, _ = whole
    again = invoke("--resume", folder)
    assert again.code == 0
    assert "Test mAP" in again.out
    other = invoke("--resume", folder, "--task", "classification", "--fitness", "bce")
    assert other.code != 0


def test_a_training_is_measured_by_map_and_goes_on(archive: str, whole: tuple[Path, Any], tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    best = whole[0] / "best.json"
    options = ("--epochs", "2", "--train-on", "train", "--clip", "5", "--threads", "1", "--accumulate", "2")
    outcome = command(train_app, *PAIR, *options, "--data", archive, "--distiller", best, "--run-dir", folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert "last epoch, test split: mAP " in outcome.stdout
    assert "(bce " in outcome.stdout
    record = json.loads((folder / "result.json").read_text())
    assert 0 <= record["map"] <= 1
    assert "top1" not in record
    assert json.loads((folder / "config.json").read_text())["task"] == "multilabel"
    with curves_figure([str(folder)], out=tmp_path / "figures").csv.open() as file:
        assert {row["quantity"] for row in csv.DictReader(file)} == {"binary_cross_entropy", "validation_map_percent"}
    assert correlation_figure([str(folder)], out=tmp_path / "figures").svg.exists()
    for figure in (tsne_figure, cam_figure):
        with pytest.raises(ConfigError, match="with --task multilabel an image may have several"):
            figure([str(folder)], out=tmp_path / "figures")
    again = command(train_app, "--resume", folder)
    assert again.exit_code == 0


def test_a_comparison_has_a_column_of_map(archive: str, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    methods = "none,bkd,sp,mine=weight(1, l2(logits))"
    options = (*PAIR, "--seeds", 2, "--data", archive, "--workers", 1, "--augment", "none")
    outcome = command(compare_app, "--methods", methods, *options, "--calibrate", "gradient", "--out", folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert "test mAP of the last of 1 epochs, 2 seeds" in outcome.stdout
    assert "mAP %" in outcome.stdout
    assert "top-5" not in outcome.stdout
    with (folder / "table.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"none", "bkd", "sp", "mine"}
    assert all(0 <= float(row["map_percent"]) <= 100 for row in rows.values())
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["task"] == "multilabel"


@pytest.mark.parametrize(
    ("method", "operation"), [("kd", "kl"), ("dist", "soften"), ("dkd", "tckd"), ("weight(1, hard(logits))", "hard")]
)
def test_methods_for_exclusive_classes_are_refused(archive: str, tmp_path: Path, method: str, operation: str) -> None:
    options = (*PAIR, "--data", archive, "--workers", 1)
    compared = command(compare_app, "--methods", method, *options, "--out", tmp_path / "c")
    assert compared.exit_code != 0
    assert f"has `{operation}` on class scores" in compared.stderr
    assert "bkd" in compared.stderr
    trained = command(train_app, "--distiller", method, *options[:-2], "--run-dir", tmp_path / "t")
    assert f"has `{operation}` on class scores" in trained.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "multilabel"), "digits has one class for each image, but --task multilabel needs"),
        (("--task", "multi"), "--task is 'multi', but must be classification or multilabel"),
        (
            ("--task", "multilabel", "--fitness", "eq2"),
            "--fitness is eq2, but with --task multilabel it must be bce or map",
        ),
        (
            ("--fitness", "bce"),
            "--fitness is bce, but with --task classification it must be tempered or relative or eq2",
        ),
    ],
)
def test_options_that_do_not_fit_are_explained(
    invoke: Callable[..., Any], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = invoke(*options, "--run-dir", tmp_path / "run")
    assert outcome.code != 0
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_seed_methods_for_exclusive_classes_are_refused(
    archive: str, invoke: Callable[..., Any], tmp_path: Path
) -> None:
    outcome = invoke(*PAIR, *SEARCH, "--data", archive, "--seed-methods", "kd", "--run-dir", tmp_path / "run")
    assert "--seed-methods kd has `kl` on class scores" in outcome.err
