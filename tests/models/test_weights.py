"""Weight files: what loads, and the report when it does not."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kdzero_gp.errors import ModelError
from kdzero_gp.models import build, load_weights


def fresh(seed: int = 0, classes: int = 5) -> nn.Module:
    torch.manual_seed(seed)
    return build("cnn2", num_classes=classes, in_channels=1)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


WRAPPINGS: dict[str, Any] = {
    "plain": lambda weights: weights,
    "DataParallel": lambda weights: {f"module.{key}": value for key, value in weights.items()},
    "compiled": lambda weights: {f"_orig_mod.{key}": value for key, value in weights.items()},
    "both": lambda weights: {f"_orig_mod.module.{key}": value for key, value in weights.items()},
    "state_dict": lambda weights: {"state_dict": weights, "epoch": 3},
    "model": lambda weights: {"model": weights},
    "old, without counters": lambda weights: {k: v for k, v in weights.items() if "num_batches" not in k},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_every_usual_form_loads(tmp_path: Path, wrapping: str, suffix: str) -> None:
    saved, model, path = state(fresh(1)), fresh(2), tmp_path / f"weights{suffix}"
    content = WRAPPINGS[wrapping](saved)
    if suffix != ".safetensors":
        torch.save(content, path)
    elif wrapping in ("state_dict", "model"):
        pytest.skip("the format has no nesting")
    else:
        save_file(content, path)
    load_weights(model, path)
    assert same(state(model), saved)


def test_a_model_whose_own_names_begin_with_the_prefix(tmp_path: Path) -> None:
    model = nn.ModuleDict({"module": nn.Linear(2, 2)})
    torch.save(model.state_dict(), tmp_path / "a.pt")
    load_weights(model, tmp_path / "a.pt")


def test_the_report_names_every_fault_and_changes_nothing(tmp_path: Path) -> None:
    model, content = fresh(2), state(fresh(1, classes=7))
    del content["stage1.0.weight"]
    content["head.weight"] = torch.zeros(3)
    torch.save(content, tmp_path / "a.pt")
    before = state(model)
    with pytest.raises(ModelError) as report:
        load_weights(model, tmp_path / "a.pt")
    text = str(report.value)
    assert "1 missing in the file: stage1.0.weight" in text
    assert "1 in the file, but not in the model: head.weight" in text
    assert "2 of another shape in the file: fc.weight (7, 8) instead of (5, 8), fc.bias (7,)" in text
    assert same(state(model), before)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("hostile-was-here",)


def test_hostile_pickles_are_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Hostile()}, "zipped.pt")
    Path("plain.pt").write_bytes(pickle.dumps(Hostile()))
    for name in ("zipped.pt", "plain.pt"):
        with pytest.raises(ModelError, match="refused"):
            load_weights(fresh(), name)
    assert not Path("hostile-was-here").exists()


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    good = tmp_path / "good.pt"
    torch.save(state(fresh()), good)
    cases: dict[str, bytes] = {
        "empty.pt": b"",
        "text.pt": b"hello, these are no weights",
        "cut.pt": good.read_bytes()[:-300],
        "text.safetensors": b"hello, these are no weights",
        "empty.safetensors": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=name):
            load_weights(fresh(), tmp_path / name)
    with pytest.raises(ModelError, match=r"no weights file .*nowhere\.pt"):
        load_weights(fresh(), tmp_path / "nowhere.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list"),
        ({}, "it is empty"),
        ({"epoch": 3, "loss": 0.1}, "no tensors: epoch, loss"),
        ({"fc.bias": torch.zeros(5), "module.fc.bias": torch.zeros(5)}, "holds 'fc.bias' twice"),
    ],
)
def test_contents_that_are_no_state_dict(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=message):
        load_weights(fresh(), tmp_path / "a.pt")
