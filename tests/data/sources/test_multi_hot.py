"""Archives whose images may have several classes: what is read, how it is split, and every way it can be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdzero_gp.data import load_dataset
from kdzero_gp.data.sources.multi_hot import rarest
from kdzero_gp.errors import DataError

RNG = np.random.RandomState(0)
X = RNG.randint(0, 256, (60, 6, 5, 3)).astype(np.uint8)
Y = (RNG.rand(60, 4) < (0.1, 0.3, 0.5, 0.7)).astype(np.int64)


def save(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


def as_pairs(split: Any) -> list[tuple[bytes, list[float]]]:
    pairs = zip(split.images, split.labels.tolist(), strict=True)
    return [(image.permute(1, 2, 0).contiguous().numpy().tobytes(), label) for image, label in pairs]


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, np.bool_])
def test_splits_hold_every_image_once_with_its_classes(tmp_path: Path, kind: Any) -> None:
    data = load_dataset(save(tmp_path / "mine.npz", x=X, y=Y.astype(kind)), labels="multi_hot")
    assert (data.name, data.num_classes, data.image_shape) == ("mine", 4, (3, 6, 5))
    assert data.train.labels.dtype == torch.float32
    everything = as_pairs(data.train) + as_pairs(data.val) + as_pairs(data.test)
    assert sorted(everything) == sorted((X[i].tobytes(), Y[i].astype(float).tolist()) for i in range(60))
    for split in (data.train, data.val, data.test):
        assert bool(split.labels.any(0)[1:].all())
    again = load_dataset(f"npz:{tmp_path / 'mine.npz'}", labels="multi_hot")
    assert again.fingerprint() == data.fingerprint()


def test_an_image_counts_for_the_rarest_of_its_classes() -> None:
    labels = np.array(
        [[1, 1, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32
    )
    # classes have 2, 3 and 4 images; no class is group 3
    assert rarest(labels).tolist() == [0, 1, 1, 2, 3, 2, 0, 3]
    single = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    assert rarest(single).tolist() == [1, 1, 1, 1]


def test_given_test_images_and_a_limit(tmp_path: Path) -> None:
    spec = save(tmp_path / "mine.npz", x=X, y=Y, x_test=X[:9], y_test=Y[:9])
    data = load_dataset(spec, labels="multi_hot", limit=40)
    assert (len(data.train) + len(data.val), len(data.test)) == (40, 9)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": Y[:, 0]}, r"has shape \(60,\), but must be \(N, K\).*--task classification"),
        ({"y": Y[:9]}, "has 60 images, but .* has 9 rows"),
        ({"y": Y[:, :0]}, "no class"),
        ({"y": 2 * Y}, r"has the value 2 at index \[\d+, \d+\], but must hold 0 and 1"),
        ({"y": Y.astype(str)}, "must hold numbers"),
        ({"y": np.where(Y, np.nan, 0.0)}, "NaN or infinite"),
        ({"x": X[:2], "y": Y[:2]}, "has 2 images; at least one each"),
        ({"y": Y * (1, 1, 1, 0)}, "No training image of .* has class 3"),
        ({"y": np.maximum(Y, (0, 0, 0, 1))}, "Every training image of .* has class 3"),
        ({"x_test": X[:5], "y_test": Y[:5, :3]}, "have 3 classes, but the training labels have 4"),
        ({"x_test": X[:5, :4], "y_test": Y[:5]}, "both must agree"),
        ({"x_test": X[:5], "y_test": 0 * Y[:5]}, "No test image of .* has any class"),
        ({"x": X.astype(float) + 0.5}, "pixels are whole numbers|must be whole numbers"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(save(tmp_path / "mine.npz", **({"x": X, "y": Y} | arrays)), labels="multi_hot")


@pytest.mark.parametrize("spec", ["digits", "folder:somewhere", "cifar10"])
def test_other_sources_have_one_class_an_image(spec: str) -> None:
    with pytest.raises(DataError, match="one class for each image, but --task multilabel needs"):
        load_dataset(spec, labels="multi_hot")


def test_one_class_an_image_is_asked_for_unless_told_otherwise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has shape \(60, 4\), but must be \(N,\)"):
        load_dataset(save(tmp_path / "mine.npz", x=X, y=Y))
