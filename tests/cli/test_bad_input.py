"""Bad input: exit code 2, one message that names value, rule and way out, no traceback, nothing written."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdzero_gp.models import build
from kdzero_gp.tasks.teacher.folder import cache_folder

MODELS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, channels=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.head = nn.Linear(4, classes)

    def forward(self, images):
        print("talk")
        return self.head(self.conv(images).relu().mean((2, 3)))


def right(num_classes):
    return Net(num_classes)

def five(num_classes):
    return Net(5)

def twelve(num_classes):
    return Net(12)

def colour(num_classes):
    return Net(num_classes, 3)

def maps(num_classes):
    return nn.Conv2d(1, num_classes, 3)

def flat(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, num_classes))

def broken(num_classes):
    raise RuntimeError("by design")
"""


@pytest.fixture(autouse=True)
def _my_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_bad_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_bad_models", None)


@pytest.fixture
def refused(invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Checks that a command is refused before the teacher is trained, and leaves no folder behind."""

    def no_training(*_: object, **__: object) -> None:
        pytest.fail("the teacher was trained before the fault was reported")

    def check(*arguments: object, run_dir: bool = True, trains: bool = False) -> str:
        before = sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts)
        if not trains:
            monkeypatch.setattr("kdzero_gp.tasks.classification.kind.train_teacher", no_training)
            monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path))
        outcome = invoke("--workers", 1, *arguments, *(("--run-dir", tmp_path / "a" / "run") if run_dir else ()))
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        talk, _, message = outcome.err.partition("error: ")
        assert talk.replace("talk", "").strip() == "", "only the user's own code may talk before"
        after = sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts)
        assert [path for path in after if path.suffix not in (".safetensors", ".lock")] == before
        return str(message)

    return check


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--data", "digitz"), ("unknown data set 'digitz'", "Did you mean 'digits'?", "FILE.npz")),
        (("--data", "gone.npz"), ("no data file gone.npz", "give the path")),
        (("--teacher", "cnn"), ("unknown model 'cnn'", "Known: cnn2", "package.module:factory")),
        (("--student", "resnet"), ("unknown model 'resnet'", "Known: ")),
        (("--teacher", "nowhere:net"), ("cannot import 'nowhere'", "PYTHONPATH")),
        (("--student", "my_bad_models:gone"), ("has no 'gone'", "right")),
        (("--student", "my_bad_models:broken"), ("raised RuntimeError: by design",)),
        (("--primitives", "gone.py"), ("gone.py is not a Python file", "--primitives takes")),
        (("--seed-methods", "kd,fitnets"), ("Unknown method 'fitnets'", "Known: ab, at, bkd")),
        (("--algorithm", "anneal"), ("--algorithm is 'anneal'", "'evolve' or 'random'")),
        (("--pop", "1"), ("--pop is 1", "greater than or equal to 2")),
        (("--gens", "-1"), ("--gens is -1", "greater than or equal to 0")),
        (("--lr", "nan"), ("--lr is nan",)),
        (("--device", "tpu"), ("device is 'tpu'", "cpu, cuda or cuda:N")),
        (("--device", "cuda:77"), ("device is 'cuda:77'", "use --device cpu")),
        (("--algorithm", "random", "--seed-methods", "kd"), ("--seed-methods", "--algorithm is random", "leave one")),
        (("--algorithm", "random", "--selection", "nsga2"), ("--selection nsga2", "leave one")),
        (("--max-size", "3"), ("--max-size is 3", "greater than or equal to 4")),
        (("--teacher", "my_bad_models:five"), ("teacher my_bad_models:five scores 5 classes", "digits has 10")),
        (("--teacher", "my_bad_models:twelve"), ("teacher my_bad_models:twelve scores 12", "digits has 10")),
        (("--student", "my_bad_models:five"), ("student my_bad_models:five scores 5", "digits has 10")),
        (("--student", "my_bad_models:colour"), ("student my_bad_models:colour fails on images of shape", "channels")),
        (("--teacher", "my_bad_models:maps"), ("gives shape (2, 10, 6, 6)", "must give class scores (2, 10)")),
        (("--teacher-weights", "gone.safetensors"), ("gone.safetensors",)),
        (("--teacher-norm", "imagnet"), ("--teacher-norm is 'imagnet'", "did you mean imagenet?")),
        (("--teacher-norm", "imagenet"), ("normalise images of digits", "1 channels", "--teacher-norm data")),
        (("--student-input", "0"), ("--student-input is 0",)),
        (("--student-input", "2"), ("cnn2 fails on images of shape (2, 1, 2, 2), to which", "--student-input N")),
        (("--student", "deit_ti", "--student-input", "100"), ("images of 100x100", "must be multiples of 16")),
        (("--taps", "stage2"), ("--taps has 'stage2'", "NAME=MODULE")),
        (("--taps", "stage2=layer9"), ("teacher: Tap 'stage2' is set to 'layer9'", "no such module")),
        (("--student", "torchvision:resnet18"), ("takes images of 3 channels", "these have 1")),
        (("--student", "torchvision:resnet19"), ("no classification model 'resnet19'", "torchvision:resnet18")),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_each_is_refused_with_one_message(refused: Any, options: tuple[str, ...], parts: tuple[str, ...]) -> None:
    message = refused(*options)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("options", [("--popp", "3"), ("--pop", "many"), ("--pop",), ("extra",)])
def test_what_is_no_option_at_all_is_refused_too(invoke: Any, options: tuple[str, ...]) -> None:
    outcome = invoke(*options)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert options[0] in outcome.err


def images(count: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.integers(0, 256, (count, 8, 8), dtype=np.uint8), "y": np.arange(count) % 3}


@pytest.mark.parametrize(
    ("name", "changes", "parts"),
    [
        ("shape", {"x": np.zeros((60, 8), np.uint8)}, ("(60, 8)",)),
        ("count", {"y": np.arange(59) % 3}, ("60", "59")),
        ("nan", {"x": np.full((60, 8, 8), np.nan, np.float32)}, ("NaN",)),
        ("pixels", {"x": np.full((60, 8, 8), 300, np.int64)}, ("300", "255")),
        ("negative label", {"y": np.arange(60) % 3 - 1}, ("-1",)),
        ("huge label", {"y": np.where(np.arange(60) == 0, 10**9, np.arange(60) % 3)}, ("3", "1000000000")),
        ("fraction", {"y": np.arange(60) / 7}, ("label",)),
        ("objects", {"y": np.array([object()] * 60)}, ("refused",)),
        ("one class", {"y": np.zeros(60, np.int64)}, ("class",)),
    ],
)
def test_bad_data_are_named(
    refused: Any, tmp_path: Path, name: str, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **(images() | changes), allow_pickle=True)
    message = refused("--data", path)
    for part in ("mine.npz", *parts):
        assert part in message


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_truncated_data_file_is_named(refused: Any, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **images())
    path.write_bytes(path.read_bytes()[:kept])
    message = refused("--data", f"npz:{path}")
    assert f"{path} cannot be read as .npz" in message
    assert "truncated or damaged" in message


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("raise RuntimeError('by design')", ("failed while it was loaded: RuntimeError: by design",)),
        ("def half(:", ("failed while it was loaded: SyntaxError",)),
        ("import nowhere_at_all", ("ModuleNotFoundError",)),
        ("import sys\nprint('talk' * 10000)\nsys.exit(0)", ("ended the program while it was loaded", "__main__")),
        (
            "from kdzero_gp import Map, transform\n@transform(Map)\ndef odd(x):\n    return x.sum()\n",
            (":2", "`odd` was refused", "expected (N, C, H, W)"),
        ),
        (
            "from kdzero_gp import Map, transform\n@transform(Map)\ndef relu(x):\n    return 2 * x\n",
            ("`relu` is taken by primitives/", "another name"),
        ),
        (
            "from kdzero_gp import Map, transform\n@transform(Map)\ndef root(x):\n    return x.sqrt()\n",
            ("`root` was refused", "on ordinary input", "not finite"),
        ),
    ],
)
@pytest.mark.parametrize("listing", [False, True])
def test_a_broken_primitive_file_is_named(
    refused: Any, invoke: Any, tmp_path: Path, source: str, parts: tuple[str, ...], listing: bool
) -> None:
    path = tmp_path / "ops.py"
    path.write_text(source)
    if listing:
        outcome = invoke("--list-primitives", "--primitives", path)
        assert (outcome.code, outcome.out) == (2, "")
        message = outcome.err
    else:
        message = refused("--primitives", path)
    assert "Traceback" not in message
    assert str(path) in message
    for part in parts:
        assert part in message


def test_an_unwritable_or_used_folder_is_reported_at_once(refused: Any, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("mine")
    message = refused("--run-dir", file / "run", run_dir=False)
    assert f"cannot create the run folder {file / 'run'}: Not a directory" in message
    assert "another --run-dir" in message
    message = refused("--run-dir", tmp_path, run_dir=False)
    assert f"{tmp_path} is not empty" in message
    assert "new or empty folder" in message
    assert file.read_text() == "mine"


def test_a_folder_with_a_run_is_not_begun_again(refused: Any, whole_run: Any) -> None:
    before = (whole_run[0] / "history.jsonl").read_bytes()
    message = refused("--run-dir", whole_run[0], run_dir=False)
    assert f"{whole_run[0]} already holds a run" in message
    assert "--resume" in message
    assert (whole_run[0] / "history.jsonl").read_bytes() == before


def test_run_dir_and_resume_contradict(refused: Any, whole_run: Any) -> None:
    message = refused("--resume", whole_run[0])
    assert "--run-dir" in message
    assert "--resume" in message
    assert "give one of the two" in message


def test_seed_methods_must_fit_the_limits(refused: Any, tiny: Any) -> None:
    message = refused(*tiny, "--seed-methods", "kd,at", "--max-depth", "3", trains=True)
    assert "--seed-methods at has size" in message
    assert "--max-depth 3; raise them or leave it out" in message


def test_methods_that_need_stages_are_refused_for_a_pair_without(refused: Any, tiny: Any) -> None:
    options = ("--teacher", "my_bad_models:flat", "--student", "my_bad_models:flat")
    message = refused(*tiny, *options, "--seed-methods", "at", trains=True)
    assert "the method at compares stages, but this pair has none" in message


def test_teacher_weights_that_do_not_fit_are_named(refused: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(build("cnn8", num_classes=10, in_channels=1).state_dict(), path)
    assert str(path) in refused("--teacher", "cnn4", "--teacher-weights", path)
    path.write_bytes(b"no weights at all")
    assert str(path) in refused("--teacher", "cnn4", "--teacher-weights", path)


def test_a_cache_that_cannot_be_written_is_named(
    invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher_cache: str
) -> None:
    file = tmp_path / "a file"
    file.write_text("mine")
    monkeypatch.setattr("kdzero_gp.tasks.teacher.pretrain.cache_folder", lambda _: cache_folder(file / "cache"))
    outcome = invoke("--workers", 1, "--run-dir", tmp_path / "run")
    assert outcome.code == 2
    assert "KDZERO_GP_CACHE" in outcome.err
    assert not (tmp_path / "run").exists()
