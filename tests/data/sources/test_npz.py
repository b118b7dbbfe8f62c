"""A user's .npz: what is read, and every way it can be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdzero_gp.data import load_dataset
from kdzero_gp.errors import DataError

RNG = np.random.RandomState(0)
X = RNG.randint(0, 256, (40, 6, 5, 3)).astype(np.uint8)
Y = np.arange(40) % 4


def save(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


def as_pairs(split: Any) -> list[tuple[bytes, int]]:
    """Image bytes in (H, W, C) order with their label."""
    return [
        (image.permute(1, 2, 0).contiguous().numpy().tobytes(), int(label))
        for image, label in zip(split.images, split.labels, strict=True)
    ]


def test_splits_hold_every_image_once_and_balance_classes(tmp_path: Path) -> None:
    data = load_dataset(save(tmp_path / "mine.npz", x=X, y=Y), val_fraction=0.25, test_fraction=0.2)
    assert (data.name, data.num_classes, data.image_shape) == ("mine", 4, (3, 6, 5))
    assert data.train.images.dtype == torch.uint8
    assert data.train.images.is_contiguous()
    everything = as_pairs(data.train) + as_pairs(data.val) + as_pairs(data.test)
    assert sorted(everything) == sorted((X[i].tobytes(), int(Y[i])) for i in range(40))
    assert torch.bincount(data.test.labels).tolist() == [2] * 4
    assert torch.bincount(data.val.labels).tolist() == [2] * 4


def test_test_split_of_the_same_file_and_of_a_sibling(tmp_path: Path) -> None:
    same = load_dataset(save(tmp_path / "one.npz", x=X[:30], y=Y[:30], x_test=X[30:], y_test=Y[30:]))
    save(tmp_path / "two_test.npz", x=X[30:], y=Y[30:])
    sibling = load_dataset(save(tmp_path / "two_train.npz", x=X[:30], y=Y[:30]).removeprefix("npz:"))
    assert as_pairs(same.test) == [(X[i].tobytes(), int(Y[i])) for i in range(30, 40)]
    assert sibling.name == "two"
    assert same.fingerprint() == sibling.fingerprint()
    assert len(same.train) + len(same.val) == 30


def test_limit_comes_before_the_validation_split(tmp_path: Path) -> None:
    spec = save(tmp_path / "a.npz", x=X, y=Y, x_test=X, y_test=Y)
    data = load_dataset(spec, limit=20, val_fraction=0.2)
    seen = sorted(as_pairs(data.train) + as_pairs(data.val))
    assert seen == sorted((X[i].tobytes(), int(Y[i])) for i in range(20))
    with pytest.raises(DataError, match=r"class 3 has no image among the first 3 .* Raise the limit"):
        load_dataset(spec, limit=3)


@pytest.mark.parametrize("convert", [np.float32, np.float64, np.int64, np.uint16])
def test_whole_numbers_of_other_types_are_the_same_data(tmp_path: Path, convert: Any) -> None:
    plain = load_dataset(save(tmp_path / "a.npz", x=X, y=Y))
    other = load_dataset(save(tmp_path / "b.npz", x=X.astype(convert), y=Y.astype(np.float32)))
    assert plain.fingerprint() == other.fingerprint()


def test_grey_images_without_a_channel_axis(tmp_path: Path) -> None:
    assert load_dataset(save(tmp_path / "a.npz", x=X[..., 0], y=Y)).image_shape == (1, 6, 5)


def changed(array: np.ndarray, place: Any, value: Any, dtype: Any = None) -> np.ndarray:
    result = array.astype(dtype or array.dtype)
    result[place] = value
    return result


BROKEN = {
    "wrong keys": ({"images": X, "labels": Y}, "holds the keys images, labels, but needs x"),
    "no labels": ({"x": X}, "but no y"),
    "half a test set": ({"x": X, "y": Y, "x_test": X}, "but no y_test"),
    "rank": ({"x": X.reshape(40, -1), "y": Y}, r"\(40, 90\), but must be \(N, H, W, C\)"),
    "channels first": ({"x": X.transpose(0, 3, 1, 2), "y": Y}, "5 channels.*looks like .N, C, H, W."),
    "lengths": ({"x": X, "y": Y[:39]}, "40 images, but .* has 39 labels"),
    "one-hot": ({"x": X, "y": np.eye(4)[Y]}, r"shape \(40, 4\), but must be \(N,\).*argmax"),
    "empty": ({"x": X[:0], "y": Y[:0]}, "has no images"),
    "no pixels": ({"x": X[:, :0], "y": Y}, "images without a pixel"),
    "nan": (
        {"x": changed(X, ([3, 9], [1, 1], [2, 2], [0, 0]), np.nan, np.float32), "y": Y},
        r"2 NaN or infinite values, the first at index \[3, 1, 2, 0\]",
    ),
    "inf": ({"x": changed(X, (5, 0, 0, 1), np.inf, np.float64), "y": Y}, r"1 NaN or infinite"),
    "too bright": ({"x": changed(X, (0, 0, 0, 0), 256, np.int64), "y": Y}, "to 256, but"),
    "negative": ({"x": changed(X, (0, 0, 0, 0), -1, np.int16), "y": Y}, "from -1 to"),
    "unit range": ({"x": X / 255.0, "y": Y}, r"to 1, but they must be whole.*\* 255"),
    "fractions": ({"x": X / 2.0, "y": Y}, "whole numbers 0 … 255: store"),
    "text": ({"x": X.astype(str), "y": Y}, "holds <U"),
    "negative label": ({"x": X, "y": changed(Y, 7, -1)}, "label -1 at index 7"),
    "fractional label": ({"x": X, "y": Y + 0.5}, "value 0.5, but labels are class numbers"),
    "nan label": ({"x": X, "y": changed(Y, 2, np.nan, float)}, r"the first at index \[2\]"),
    "stray label": ({"x": X, "y": changed(Y, 0, 10**12)}, "class 4 has no image"),
    "a gap": ({"x": X, "y": np.where(Y == 1, 5, Y)}, "class 1 has no image .*largest label is 5"),
    "test label": ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "is 4, but the training labels go from 0 to 3"),
    "test shape": ({"x": X, "y": Y, "x_test": X[:, :4], "y_test": Y}, r"\(3, 4, 5\) .*\(3, 6, 5\)"),
    "one class": ({"x": X, "y": Y * 0}, "has 1 class"),
    "lonely class": ({"x": X[:5], "y": Y[:5], "x_test": X, "y_test": Y}, "has 1 training image"),
    "objects": ({"x": X, "y": np.array([{"a": 1}] * 40, dtype=object)}, "Python objects.*refused"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_content_is_named(tmp_path: Path, case: str) -> None:
    arrays, message = BROKEN[case]
    with pytest.raises(DataError, match=message):
        load_dataset(save(tmp_path / "broken.npz", **arrays))


def test_missing_truncated_foreign_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data file .*nowhere\.npz"):
        load_dataset(str(tmp_path / "nowhere.npz"))
    whole = tmp_path / "whole.npz"
    save(whole, x=X, y=Y)
    content = whole.read_bytes()
    for name, data in (("truncated", content[:-100]), ("half", content[:500]), ("empty", b"")):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"{name}.npz .*damaged"):
            load_dataset(str(path))
    damaged = tmp_path / "bits.npz"
    damaged.write_bytes(content[:300] + bytes(255 - b for b in content[300:340]) + content[340:])
    with pytest.raises(DataError, match="CRC"):
        load_dataset(str(damaged))
    foreign = tmp_path / "foreign.npz"
    foreign.write_bytes(b"not a zip at all, but some text")
    with pytest.raises(DataError, match=r"no \.npz"):
        load_dataset(str(foreign))
    single = tmp_path / "single.npz"
    with single.open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="a single array"):
        load_dataset(str(single))
