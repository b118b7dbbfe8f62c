"""The networks of trainings put together again, and what untrusted folders cannot do."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdzero_gp.errors import ConfigError, ModelError, StoreError
from kdzero_gp.plot.chosen_images import balanced, numbered
from kdzero_gp.plot.networks import Pair, labels_of, load_pair, pair_config
from kdzero_gp.plot.training_folders import read_trainings


def copied(trainings: Path, tmp_path: Path, **changes: object) -> str:
    folder = Path(shutil.copytree(trainings / "none-0", tmp_path / "copy"))
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    return str(folder)


def test_students_are_those_that_were_trained(pair: Pair, trainings: Path) -> None:
    assert [student.label for student in pair.students] == ["student alone", "kd"]
    for student, name in zip(pair.students, ("none-0", "kd-0"), strict=True):
        stored = json.loads((trainings / name / "result.json").read_text())["top1"]
        assert student.quality == pytest.approx(stored, abs=1e-9)
        assert student.title == f"{student.label} ({100 * stored:.1f} %)"
        assert not student.model.training
    labels = pair.task.targets("test")
    with torch.no_grad():
        scores = pair.task.teacher(pair.task.all_images("test"))
    right = sum(int(row.argmax() == label) for row, label in zip(scores, labels, strict=True))
    assert pair.teacher.quality == pytest.approx(right / len(labels), abs=1e-3)
    np.testing.assert_allclose(pair.teacher.test["logits"], scores, atol=1e-4)


def test_code_that_a_folder_names_is_not_run(trainings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_network.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    found = read_trainings([copied(trainings, tmp_path, student="evil_network:make")])
    with pytest.raises(ConfigError, match=r"student of somebody's own, evil_network:make.*--student evil_network:make"):
        pair_config(found)
    with pytest.raises(ConfigError, match="somebody's own"):
        pair_config(found, student="evil_network:other")
    assert "evil_network" not in sys.modules
    assert pair_config(found, student="evil_network:make").student == "evil_network:make"


def test_other_weights_than_those_of_the_result_are_noticed(trainings: Path, tmp_path: Path, texts: list[str]) -> None:
    folder = copied(trainings, tmp_path)
    shutil.copy(trainings / "kd-0" / "student.safetensors", folder)
    result = Path(folder) / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"top1": 0.5}))
    found = read_trainings([folder])
    with pytest.raises(ConfigError, match=r"and had 50\.00 % when it was trained: these are other data"):
        load_pair(found, pair_config(found))


def test_what_is_missing_is_named(trainings: Path, tmp_path: Path, texts: list[str]) -> None:
    folder = copied(trainings, tmp_path)
    found = read_trainings([folder])
    (Path(folder) / "student.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"student\.safetensors cannot be read"):
        load_pair(found, pair_config(found))
    (Path(folder) / "result.json").unlink()
    with pytest.raises(StoreError, match=r"has not ended; go on with .*--resume"):
        load_pair(found, pair_config(found))


def test_an_option_of_another_version_is_named(trainings: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json: a final training has no option `tomorrow`"):
        pair_config(read_trainings([copied(trainings, tmp_path, tomorrow=1)]))


def test_what_has_moved_can_be_given(trainings: Path, tmp_path: Path) -> None:
    found = read_trainings([copied(trainings, tmp_path, device="cuda", data="npz:/gone/a.npz", threads=3)])
    config = pair_config(found, data="digits", teacher_weights="w.pt", threads=None)
    assert (config.data, config.teacher_weights, config.device, config.threads) == ("digits", "w.pt", "cpu", 3)


def test_labels_are_told_apart_by_seeds(trainings: Path) -> None:
    found = read_trainings([str(trainings / name) for name in ("none-0", "none-1", "kd-0", "own-0")])
    assert labels_of(found) == ["student alone, seed 0", "student alone, seed 1", "kd", "weight(1, l2(logits))"]
    with pytest.raises(ConfigError, match=r"two trainings are called 'a, seed 0'; tell them apart"):
        labels_of(read_trainings([f"a={trainings}/none-0", f"a={trainings}/kd-0"]))


def test_images_are_the_first_of_every_class_in_turn() -> None:
    labels = torch.tensor([2, 0, 0, 1, 0, 2, 0, 1])
    assert balanced(labels, 5).tolist() == [1, 2, 3, 7, 0]
    assert balanced(labels, 5, classes=2).tolist() == [1, 2, 4, 3, 7]
    assert balanced(labels, 100).tolist() == [1, 2, 4, 6, 3, 7, 0, 5]
    assert balanced(labels, 2).tolist() == [1, 3]
    with pytest.raises(ConfigError, match="--images is 0"):
        balanced(labels, 0)
    assert numbered((7, 0), 8).tolist() == [7, 0]
    with pytest.raises(ConfigError, match="--number is 8, but the test images are numbered 0 to 7"):
        numbered((8,), 8)
