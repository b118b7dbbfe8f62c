"""`python -m kdzero_gp.train`: its options, its output, `kill -9` at any moment, two processes under torchrun."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import equal
from typer.testing import CliRunner

from kdzero_gp.train.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--teacher", "cnn4", "--limit", "120", "--batch-size", "32", "--epochs", "4", "--threads", "1")
RANDOM = "add(weight(5, l2(mask(stage1))), weight(1, kl(logits, 4)))"


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str


def train(*arguments: object) -> Outcome:
    """The command, in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def environment(teacher_cache: str) -> dict[str, str]:
    """Of a process that the test starts."""
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "KDZERO_GP_CACHE": teacher_cache}
    return {**os.environ, **variables, "CUDA_VISIBLE_DEVICES": ""}


def command(*arguments: object, launcher: Sequence[str] = ()) -> list[str]:
    return [sys.executable, *launcher, "-m", "kdzero_gp.train", *(str(argument) for argument in arguments)]


def test_it_prints_every_epoch_and_the_last_ones_accuracy(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    outcome = train(*TINY, "--distiller", "dkd", "--train-on", "train", "--run-dir", folder)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == f"cnn4 -> cnn2 on digits: dkd, seed 0: 4 epochs; folder {folder}"
    assert [line.split()[1] for line in lines[1:5]] == ["1", "2", "3", "4"]
    assert "ce " in lines[1]
    assert "tckd" in lines[1]
    assert "val " in lines[1]
    assert lines[5].startswith("last epoch, test split: top-1 ")
    assert "top-5" in lines[5]
    assert list((folder / "tensorboard").iterdir())
    assert json.loads((folder / "config.json").read_text())["preset"] == "digits"


def test_json_is_one_object_and_quiet_is_quiet(tmp_path: Path) -> None:
    outcome = train(*TINY, "--distiller", "none", "--json", "--run-dir", tmp_path / "a")
    record = json.loads(outcome.out)
    assert (record["distiller"], record["tree"], record["epochs"]) == ("none", None, 4)
    assert record["images"] > 120  # all: with those of the validation split
    assert record["val_accuracy"] is None
    assert 0 <= record["top1"] <= record["top5"] <= 1
    quiet = train(*TINY, "--distiller", "none", "--quiet", "--run-dir", tmp_path / "b")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no distiller is given; name one by --distiller"),
        (("--distiller", "kdd"), "Did you mean 'kd'"),
        (("--distiller", "weight(1, kl(logits, 4)"), "error: "),
        (("--distiller", "missing.json"), "missing.json"),
        (("--distiller", "kd", "--preset", "crd"), "no preset 'crd'; known are"),
        (("--distiller", "kd", "--train-on", "test"), "--train-on is 'test', but should be 'all' or 'train'"),
        (("--distiller", "kd", "--epochs", "0"), "--epochs is 0"),
        (("--distiller", "kd", "--accumulate", "64", "--batch-size", "32"), "--accumulate is 64, but must be 1 to 32"),
        (("--distiller", "none", "--calibrate", "gradient"), "no terms to calibrate"),
    ],
)
def test_bad_options_are_told(tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    rest = TINY if "--epochs" not in arguments and "--batch-size" not in arguments else ("--limit", "120")
    outcome = train(*rest, "--teacher", "cnn4", *arguments, "--run-dir", tmp_path / "run")
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert outcome.out == ""


def test_resuming_another_training_names_the_option(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train(*TINY, "--distiller", "kd", "--run-dir", folder).code == 0
    outcome = train("--resume", folder, "--lr", "0.5", "--seed", "1")
    assert outcome.code == 2
    assert "lr: the run has null, but 0.5 was given" in outcome.err
    assert "seed: the run has 0, but 1 was given" in outcome.err
    assert "leave these options out" in outcome.err
    again = train("--resume", folder, "--seed", "0")
    assert again.code == 0
    assert "4 of them are done already" in again.out
    assert "not empty" in train(*TINY, "--distiller", "kd", "--run-dir", folder).err
    assert "cannot be read" in train("--resume", tmp_path / "nowhere").err


def wait_for(folder: Path, epochs: int) -> None:
    deadline = time.monotonic() + 300
    log = folder / "epochs.jsonl"
    while not log.exists() or len(log.read_text().splitlines()) < epochs:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_killed_at_any_moment_it_goes_on_bit_for_bit(driver: Any, tmp_path: Path) -> None:
    options = (*TINY, "--epochs", 60, "--distiller", RANDOM, "--calibrate", "gradient")
    assert train(*options, "--run-dir", tmp_path / "whole").code == 0
    folder = tmp_path / "killed"
    arguments: tuple[object, ...] = (*options, "--run-dir", folder)
    moments = random.Random(0)
    for epochs in (1, 9, 18, 27, 36):
        started = driver.start(*arguments, module="kdzero_gp.train")
        wait_for(folder, epochs)
        time.sleep(0.05 * moments.random())
        os.kill(started.pid, signal.SIGKILL)
        assert started.end().code == -signal.SIGKILL
        assert not (folder / "result.json").exists()
        arguments = ("--resume", folder)
    outcome = train("--resume", folder)
    assert outcome.code == 0, outcome.err
    assert "are done already" in outcome.out
    for name in ("student", "checkpoint"):
        whole, killed = (load_file(tmp_path / run / f"{name}.safetensors") for run in ("whole", "killed"))
        assert whole.keys() == killed.keys()
        assert all(equal(killed[key], value) for key, value in whole.items())


def test_ctrl_c_says_how_to_go_on(driver: Any, tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    options = (*TINY, "--epochs", 3000, "--distiller", "kd", "--run-dir", folder)
    started = driver.start(*options, module="kdzero_gp.train")
    wait_for(folder, 2)
    second = train("--resume", folder)
    assert (second.code, second.err[:28]) == (2, "error: another process (pid "), second.err
    os.kill(started.pid, signal.SIGINT)
    outcome = started.end()
    assert outcome.code == 130
    assert outcome.err.startswith("interrupted; the first ")
    assert outcome.err.endswith(f"Go on with: python -m kdzero_gp.train --resume '{folder}'\n")


def test_two_processes_under_torchrun(tmp_path: Path, environment: dict[str, str]) -> None:
    """One speaks and writes, and the student is that of one process but for rounding."""
    options = (*TINY, "--distiller", "kd", "--lr", 0.02)  # so low that rounding stays rounding
    assert train(*options, "--run-dir", tmp_path / "one").code == 0
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(
        command(*options, "--run-dir", tmp_path / "two", launcher=launcher),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("last epoch, test split") == 1
    assert done.stdout.count("epoch   1") == 1
    one, two = ([json.loads(line) for line in (tmp_path / n / "epochs.jsonl").open()] for n in ("one", "two"))
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-3)
    assert two[0]["loss"] != pytest.approx(one[1]["loss"], rel=1e-2)
