"""`python -m kdzero_gp.compare` as a user meets it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kdzero_gp.compare.__main__ import app

TINY = ("--teacher", "cnn4", "--limit", "128", "--epochs", "1", "--batch-size", "32", "--workers", "1")


def invoke(*arguments: object) -> Any:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Any:
    folder = tmp_path_factory.mktemp("compare") / "c"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        return folder, invoke("--methods", "none,kd", "--methods", "sp", "--seeds", 2, *TINY, "--out", folder)


def test_it_prints_what_happens_and_the_table(whole: Any) -> None:
    folder, outcome = whole
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0] == f"cnn4 -> cnn2 on digits: 6 trainings to do, 0 stored; folder {folder}"
    for name in ("none", "kd", "sp"):
        for seed in (0, 1):
            assert any(line.startswith(f"{name}, seed {seed}: ") and " % in " in line for line in lines)
    assert "test accuracy of the last of 1 epochs, 2 seeds" in outcome.stdout
    assert "Hinton" in outcome.stdout
    assert "\x1b" not in outcome.stdout
    assert lines[-1] == f"table as text, CSV, JSON and plot: {folder}"
    for name in ("table.txt", "table.csv", "table.json", "table.svg", "table.png", "settings.json"):
        assert (folder / name).stat().st_size > 0
    assert len(list((folder / "trainings").iterdir())) == 6


def test_json_is_one_object_and_quiet_is_quiet(whole: Any) -> None:
    folder, _ = whole
    outcome = invoke("--methods", "none,kd,sp", "--seeds", 2, *TINY, "--out", folder, "--json")
    assert {row["label"] for row in json.loads(outcome.stdout)["rows"]} == {"none", "kd", "sp"}
    assert "0 trainings to do, 6 stored" in outcome.stderr
    silent = invoke("--methods", "none,kd,sp", "--seeds", 2, *TINY, "--out", folder, "--quiet")
    assert (silent.exit_code, silent.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "kdd"), "error: 'kdd' names no distiller. Did you mean 'kd'?"),
        (("--methods", "kd", "--preset", "x"), "error: there is no preset 'x'; known are"),
        (("--methods", "missing/best.json"), "error: missing/best.json is not a file"),
        (("--methods", "weight(1, kl(logitz, 4))"), "error: column 14: found `logitz`"),
        (("--methods", "kd", "--workers", "2", "--executor", "inprocess"), "error: --executor inprocess"),
    ],
)
def test_mistakes_end_in_one_message(tmp_path: Path, arguments: Any, message: str) -> None:
    outcome = invoke(*TINY, *arguments, "--out", tmp_path / "c")
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert message in outcome.stderr
    assert not (tmp_path / "c").exists()


def test_another_recipe_in_the_same_folder_is_an_error(whole: Any) -> None:
    folder, _ = whole
    outcome = invoke("--methods", "none", *TINY, "--epochs", 2, "--out", folder)
    assert outcome.exit_code == 2
    assert "recipe.epochs: the comparison has 1, but 2 was given" in outcome.stderr


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, teacher_cache: str) -> None:
    folder = tmp_path / "c"
    options = ["--teacher", "cnn4", "--limit", "128", "--epochs", "200", "--batch-size", "32", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kdzero_gp.compare", "--methods", "none,kd", *options, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (folder / "trainings").is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert f"Go on with the same command and --out {folder}" in err
    assert "Traceback" not in err
