"""The final training from beginning to end: its record, its files, stopping and going on, what ends it early."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from kdzero_gp.data.sources.all_images import on_all_images
from kdzero_gp.errors import ConfigError, KdzeroError, StoreError
from kdzero_gp.loops.ranks import Ranks
from kdzero_gp.methods.named import NamedDistiller
from kdzero_gp.models import build, load_weights
from kdzero_gp.store.folder import FolderLock
from kdzero_gp.tasks.classification.measures import student_shares
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.files import read_checkpoint
from kdzero_gp.train.fit import FitError, fit
from kdzero_gp.train.job import Fit
from kdzero_gp.train.record import EpochLog, FitResult, Silent

RANDOM = "add(weight(5, l2(mask(stage1))), weight(1, l2(drop(stage2))))"


class StoppedError(Exception):
    """What a test ends a training with."""


class StopAfter(Silent):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.done = -1

    def started(self, title: str, epochs: int, done: int, folder: Path | None) -> None:
        self.done = done

    def epoch_done(self, log: EpochLog) -> None:
        if log.epoch == self.epochs:
            raise StoppedError


class Warnings(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warned(self, text: str) -> None:
        self.texts.append(text)


def weights(result: FitResult) -> dict[str, torch.Tensor]:
    return result.student.state_dict()


def test_the_last_epoch_is_the_result(task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path) -> None:
    about = {"student": "cnn2", "teacher": "cnn8", "data": "digits"}
    result = fit(task, named("dkd"), task.recipe, seed=4, folder=tmp_path / "a", about=about)
    assert [row.epoch for row in result.log] == [1, 2, 3]
    assert result.log[-1].loss < result.log[0].loss
    assert all(sum(row.terms.values()) == pytest.approx(row.loss) for row in result.log)
    assert result.log[-1].val_accuracy == student_shares(task, result.student, "val")["accuracy"]
    scores = result.student(task.all_images("test"))
    labels = task.targets("test")
    hits = [label in row.topk(5).indices for row, label in zip(scores, labels, strict=True)]
    assert result.top1 == pytest.approx(float((scores.argmax(1) == labels).double().mean()))
    assert result.top5 == pytest.approx(sum(hits) / len(hits))
    record = json.loads((tmp_path / "a" / "result.json").read_text())
    assert (record["top1"], record["top5"], record["epoch"]) == (result.top1, result.top5, "last")
    assert [json.loads(line)["epoch"] for line in (tmp_path / "a" / "epochs.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
    ]
    copy = build("cnn2", num_classes=10, in_channels=1)
    load_weights(copy, tmp_path / "a" / "student.safetensors")
    assert all(torch.equal(value, weights(result)[name]) for name, value in copy.state_dict().items())
    with safe_open(tmp_path / "a" / "student.safetensors", "pt") as file:
        header = file.metadata()
    assert {"student", "teacher", "data", "distiller", "seed", "epochs", "accuracy", "versions"} <= header.keys()
    assert header["distiller"] == str(named("dkd").tree)
    shown, data = json.loads(header["input"]), task.data
    assert shown == {"shape": [*data.image_shape], "scale": data.scale, "mean": [*data.mean], "std": [*data.std]}
    assert float(header["accuracy"]) == pytest.approx(result.top1, abs=1e-6)
    assert fit(task, named("dkd"), task.recipe, seed=4).top1 == result.top1
    assert fit(task, named("dkd"), task.recipe, seed=5).log[0].loss != result.log[0].loss


@pytest.mark.parametrize("text", ["none", RANDOM])
@pytest.mark.parametrize("stop", [1, 2])
def test_gone_on_it_is_the_same_bit_for_bit(
    task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path, text: str, stop: int
) -> None:
    recipe = replace(task.recipe, optimiser="adamw", lr=0.01, nesterov=False)
    whole = fit(task, named(text), recipe, folder=tmp_path / "whole", calibrate=text != "none")
    with pytest.raises(StoppedError):
        fit(task, named(text), recipe, folder=tmp_path / "b", observer=StopAfter(stop), calibrate=text != "none")
    torch.manual_seed(stop)  # nobody's business
    follower = StopAfter(99)
    rest = fit(
        task, named(text), recipe, folder=tmp_path / "b", resume=True, observer=follower, calibrate=text != "none"
    )
    assert follower.done == stop
    assert all(torch.equal(value, weights(rest)[name]) for name, value in weights(whole).items())
    assert (rest.top1, rest.calibration) == (whole.top1, whole.calibration)
    assert [replace(row, seconds=0) for row in rest.log] == [replace(row, seconds=0) for row in whole.log]
    ended, stored = (read_checkpoint(tmp_path / name) for name in ("whole", "b"))
    assert ended is not None
    assert stored is not None
    assert all(torch.equal(value, stored[0][name]) for name, value in ended[0].items())
    again = fit(task, named(text), recipe, folder=tmp_path / "b", resume=True, calibrate=text != "none")
    assert again.top1 == whole.top1


def test_a_folder_holds_one_training(task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path) -> None:
    fit(task, named("kd"), replace(task.recipe, epochs=1), folder=tmp_path)
    with pytest.raises(StoreError, match="is not empty"):
        fit(task, named("kd"), task.recipe, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)recipe.epochs: the run has 1, but 3 was given.*begin a new one"):
        fit(task, named("kd"), task.recipe, folder=tmp_path, resume=True)
    with pytest.raises(ConfigError, match=r"(?s)distiller: .*seed: the run has 0, but 1 was given"):
        fit(task, named("dkd"), replace(task.recipe, epochs=1), folder=tmp_path, resume=True, seed=1)
    with pytest.raises(StoreError, match="there is no folder"):
        fit(task, named("kd"), task.recipe, folder=tmp_path / "none", resume=True)
    lock = FolderLock(tmp_path)
    try:
        with pytest.raises(StoreError, match="another process"):
            fit(task, named("kd"), replace(task.recipe, epochs=1), folder=tmp_path, resume=True)
    finally:
        lock.release()
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(StoreError, match="cannot be read as a checkpoint"):
        fit(task, named("kd"), replace(task.recipe, epochs=1), folder=tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_at_its_step(
    task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path
) -> None:
    recipe = replace(task.recipe, lr=1e20, clip=1e30, warmup=0.0)
    with pytest.raises(FitError, match=r"after [1-9] of 15 steps, in epoch [12] at a learning rate of .*Lower --lr"):
        fit(task, named("kd"), recipe, folder=tmp_path)
    assert not (tmp_path / "result.json").exists()
    assert issubclass(FitError, KdzeroError)


def test_a_rising_loss_is_warned_of_once(task: Task, named: Callable[[str], NamedDistiller]) -> None:
    observer = Warnings()
    recipe = replace(task.recipe, epochs=5, lr=3.0, warmup=0.8, clip=float("inf"), weight_decay=0.0)
    fit(task, named("weight(300, l2(logits))"), recipe, observer=observer)
    assert len(observer.texts) == 1
    assert "may be diverging; a lower --lr" in observer.texts[0]
    calm = Warnings()
    fit(task, named("kd"), task.recipe, observer=calm)
    assert calm.texts == []


def test_calibrated_terms_begin_with_the_cross_entropys_gradient(
    task: Task, named: Callable[[str], NamedDistiller]
) -> None:
    chosen = named("add(weight(1, l2(stage1)), weight(3, kl(logits, 4)))")
    recipe = replace(task.recipe, epochs=1)
    assert fit(task, chosen, recipe).calibration == (1.0, 1.0)
    factors = fit(task, chosen, recipe, calibrate=True).calibration
    assert factors is not None
    assert all(factor not in (0.0, 1.0) for factor in factors)
    stored = replace(chosen, calibration=(0.5, 2.0))
    assert fit(task, stored, recipe, calibrate=True).calibration == (0.5, 2.0)
    with pytest.raises(ConfigError, match="no terms to calibrate"):
        fit(task, named("none"), recipe, calibrate=True)


def test_a_published_warm_up_takes_its_share_of_the_schedule(
    task: Task, named: Callable[[str], NamedDistiller]
) -> None:
    recipe = replace(task.recipe, epochs=12)
    training = Fit(task, named("dkd"), recipe).training(Ranks(), None)
    assert (training.steps, training.distiller_warmup) == (60, 5)  # 20 of 240 epochs
    assert Fit(task, named("kd"), recipe).training(Ranks(), None).recipe.ce_weight == 0.1


def test_all_images_are_those_of_both_splits(task: Task, named: Callable[[str], NamedDistiller]) -> None:
    data = on_all_images(task.data)
    assert len(data.train) == len(task.data.train) + len(task.data.val)
    assert torch.equal(data.train.images[-len(data.val) :], task.data.val.images[:])
    assert torch.equal(data.train.labels[: len(task.data.train)], task.data.train.labels)
    assert (data.mean, data.std) == (task.data.mean, task.data.std)

    def student() -> nn.Module:
        return build("cnn2", num_classes=10, in_channels=1)

    whole = Task("all", task.teacher, student, data, recipe=task.recipe, proxy=task.recipe)
    result = fit(whole, named("kd"), task.recipe, validate=False)
    assert result.log[-1].val_accuracy is None
    assert result.log[-1].steps == 3 * (len(data.train) // 32)
