"""A final training by a method that is a module: stopped in any phase, gone on with, and what its files say."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.named import NamedDistiller
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.fit import fit
from kdzero_gp.train.record import EpochLog, Silent

TREE = "weight(5, l2(mask(stage1)))"
TEXTS = ["ab", "ksanc", "crd(negatives=40)", f"ab + {TREE}"]


class StoppedError(Exception):
    """What a test ends a training with."""


class StopAfter(Silent):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch_done(self, log: EpochLog) -> None:
        if log.epoch == self.epochs:
            raise StoppedError


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("epoch", [1, 2])
def test_stopped_in_either_phase_it_goes_on_bit_for_bit(
    task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path, text: str, epoch: int
) -> None:
    """The first of `ab`'s four epochs is its extra phase."""
    whole = fit(task, named(text), task.recipe, seed=4, folder=tmp_path / "whole")
    with pytest.raises(StoppedError):
        fit(task, named(text), task.recipe, seed=4, folder=tmp_path / "part", observer=StopAfter(epoch))
    resumed = fit(task, named(text), task.recipe, seed=4, folder=tmp_path / "part", resume=True)
    assert len(resumed.log) == len(whole.log) == (4 if text.startswith("ab") else 3)
    ours, theirs = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("part", "whole"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_its_record_names_it_and_the_weights_are_the_students_alone(
    task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path
) -> None:
    result = fit(task, named(f"crd(negatives=40) + {TREE}"), task.recipe, folder=tmp_path / "a")
    record = json.loads((tmp_path / "a" / "result.json").read_text(encoding="utf-8"))
    assert (record["distiller"], record["tree"]) == (f"crd(negatives=40) + {TREE}", TREE)
    assert set(record["terms"]) == {"ce", "crd", TREE}
    assert result.calibration == (1.0,)
    assert set(load_file(tmp_path / "a" / "student.safetensors")) == set(task.student(0).state_dict())


def test_another_method_does_not_go_on_with_it(
    task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        fit(task, named("ksanc"), task.recipe, folder=tmp_path / "a", observer=StopAfter(1))
    with pytest.raises(ConfigError, match="holds another training"):
        fit(task, named("ksanc(third=0.2)"), task.recipe, folder=tmp_path / "a", resume=True)


def test_it_has_no_terms_to_calibrate(task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vid is a module and has no terms to calibrate"):
        fit(task, named("vid"), task.recipe, folder=tmp_path / "a", calibrate=True)
