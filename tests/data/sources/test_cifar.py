"""CIFAR through torchvision: its own reading of files in its format, and what happens without a network."""

import os
import pickle
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from kdzero_gp.data import load_dataset
from kdzero_gp.errors import DataError

REAL = os.environ.get("KDZERO_GP_CIFAR100")


def no_network(*args: object, **kwargs: object) -> None:
    raise urllib.error.URLError("no network here")


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in the published format with 40 training and 10 test images, which torchvision takes for the real ones."""
    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    random = np.random.RandomState(0)
    for file, count in (("train", 40), ("test", 10)):
        labels = {"labels" if name == "cifar10" else "fine_labels": [i % 5 for i in range(count)]}
        pixels = random.randint(0, 256, (count, 3072)).astype(np.uint8)
        (folder / file).write_bytes(pickle.dumps({"data": pixels, **labels}))
    (folder / "meta").write_bytes(pickle.dumps({kind.meta["key"]: list("abcde")}))
    monkeypatch.setattr(kind, "train_list", [["train", None]])
    monkeypatch.setattr(kind, "test_list", [["test", None]])
    monkeypatch.setattr(kind, "meta", {"filename": "meta", "key": kind.meta["key"], "md5": None})
    monkeypatch.setenv("KDZERO_GP_DATA", str(tmp_path))
    return tmp_path


def test_the_published_split_and_a_balanced_validation_split(name: str, root: Path) -> None:
    data = load_dataset(name, val_fraction=0.25)
    assert (data.name, data.num_classes, data.image_shape) == (name, 5, (3, 32, 32))
    assert [torch.bincount(split.labels).tolist() for split in (data.train, data.val, data.test)] == [
        [6] * 5,
        [2] * 5,
        [2] * 5,
    ]
    raw = np.random.RandomState(0).randint(0, 256, (40, 3072)).astype(np.uint8).reshape(40, 3, 32, 32)
    split = torch.cat([data.train.images[:], data.val.images[:]])
    assert sorted(image.numpy().tobytes() for image in split) == sorted(image.tobytes() for image in raw)
    assert data.mean == {"cifar10": (0.4914, 0.4822, 0.4465), "cifar100": (0.5071, 0.4867, 0.4408)}[name]
    few = load_dataset(name, limit=20)
    assert len(few.train) + len(few.val) == 20


def test_without_files_and_network_the_way_out_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setenv("KDZERO_GP_DATA", str(tmp_path / "new"))
    message = rf"{name} is not in .*new and cannot be downloaded \(.*no network here.*get https://.*tar.gz and put"
    with pytest.raises(DataError, match=message):
        load_dataset(name)


def test_a_folder_that_cannot_be_made(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KDZERO_GP_DATA", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match=r"cannot be downloaded .*KDZERO_GP_DATA names"):
        load_dataset(name)


@pytest.mark.skipif(not REAL, reason="KDZERO_GP_CIFAR100 names no folder with cifar100_train.npz")
def test_the_constants_are_those_of_the_training_images() -> None:
    from kdzero_gp.data.dataset import channel_statistics
    from kdzero_gp.data.sources.source import source_named

    with np.load(Path(str(REAL)) / "cifar100_train.npz") as archive:
        images = torch.from_numpy(archive["x"]).permute(0, 3, 1, 2)
    mean, std = channel_statistics(images, 255.0)
    published = source_named("cifar100")
    assert published is not None
    assert mean == pytest.approx(published.mean, abs=2e-4)
    assert std == pytest.approx(published.std, abs=2e-4)
