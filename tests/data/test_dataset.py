"""Splits and normalisation, recomputed with plain loops."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import datasets

from kdzero_gp.data import load_dataset
from kdzero_gp.data.dataset import channel_statistics
from kdzero_gp.data.sources.split import balanced_order, stratified
from kdzero_gp.errors import DataError


def test_digits_are_all_of_scikit_learns_images_once() -> None:
    digits = load_dataset("digits")
    assert [len(split) for split in (digits.train, digits.val, digits.test)] == [1000, 400, 397]
    assert digits.image_shape == (1, 8, 8)
    assert digits.num_classes == 10
    parts = (digits.train, digits.val, digits.test)
    ours = sorted(
        (tuple(image.flatten().tolist()), int(label))
        for split in parts
        for image, label in zip(split.images, split.labels, strict=True)
    )
    raw = datasets.load_digits()
    theirs = sorted(
        (tuple(int(v) for v in image.flatten()), int(label))
        for image, label in zip(raw.images, raw.target, strict=True)
    )
    assert ours == theirs


def test_digits_split_is_the_documented_permutation() -> None:
    digits, raw = load_dataset("digits"), datasets.load_digits()
    order = np.random.RandomState(0).permutation(1797)
    for split, start in ((digits.train, 0), (digits.val, 1000), (digits.test, 1400)):
        for place in (0, 7, len(split) - 1):
            assert split.labels[place] == raw.target[order[start + place]]
            assert split.images[place, 0].tolist() == raw.images[order[start + place]].tolist()


def test_normalise_against_a_loop() -> None:
    digits = load_dataset("digits")
    pixels = [float(v) / 16 for v in digits.train.images.flatten().tolist()]
    mean = sum(pixels) / len(pixels)
    std = (sum((v - mean) ** 2 for v in pixels) / len(pixels)) ** 0.5
    assert digits.mean == pytest.approx((mean,))
    assert digits.std == pytest.approx((std,))
    image = digits.normalise(digits.val.images[:1])
    assert image.dtype == torch.float32
    for row in range(8):
        for column in range(8):
            expected = (int(digits.val.images[0, 0, row, column]) / 16 - mean) / std
            assert float(image[0, 0, row, column]) == pytest.approx(expected, abs=1e-5)


def test_statistics_per_channel_against_numpy() -> None:
    images = torch.randint(0, 256, (7, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 2] = 40
    mean, std = channel_statistics(images, 255.0)
    floats = images.numpy().astype(np.float64) / 255
    assert mean == pytest.approx(tuple(floats.mean((0, 2, 3))))
    assert std[:2] == pytest.approx(tuple(floats.std((0, 2, 3))[:2]))
    assert std[2] == 1.0  # a constant channel must not divide by zero


def test_fingerprint_tells_content_apart_but_not_names() -> None:
    first, again, other = (load_dataset("digits") for _ in range(3))
    assert first.fingerprint() == again.fingerprint()
    assert len(first.fingerprint()) == 16
    assert dataclasses.replace(first, name="other").fingerprint() == first.fingerprint()
    other.test.images[-1, 0, 0, 0] += 1
    assert other.fingerprint() != first.fingerprint()


def test_limit_keeps_the_first_images() -> None:
    whole, part = load_dataset("digits"), load_dataset("digits", limit=100)
    assert torch.equal(part.train.images, whole.train.images[:100])
    assert len(part.val) == 400
    with pytest.raises(DataError, match=r"limit of 3 .* raise the limit"):
        load_dataset("digits", limit=3)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_stratified_takes_its_share_of_every_class(fraction: float) -> None:
    labels = np.array([0] * 50 + [1] * 10 + [2] * 2, dtype=np.int64)
    kept, taken = stratified(labels, fraction, seed=3, purpose="validation")
    assert sorted([*kept, *taken]) == list(range(62))
    for label, count in ((0, 50), (1, 10), (2, 2)):
        share = sum(1 for index in taken if labels[index] == label)
        assert share == min(max(1, round(fraction * count)), count - 1)
    again = stratified(labels, fraction, seed=3, purpose="validation")
    assert np.array_equal(again[1], taken)
    assert not np.array_equal(stratified(labels, fraction, seed=4, purpose="validation")[1], taken)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DataError, match=f"{fraction}, but must be between 0 and 1"):
        stratified(np.array([0, 0, 1, 1]), fraction, seed=0, purpose="validation")


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'digit'.*mean 'digits'.*npz:FILE"):
        load_dataset("digit")
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(DataError, match=r"path of a folder: write folder:.*/images"):
        load_dataset(str(folder))
    (folder / "list.txt").touch()
    with pytest.raises(DataError, match=r"not of an \.npz file"):
        load_dataset(str(folder / "list.txt"))


def test_balanced_order_takes_turns_among_classes() -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 3, dtype=np.int64)
    order = balanced_order(labels, seed=3)
    assert sorted(order) == list(range(10))
    assert labels[order].tolist() == [0, 1, 2, 0, 1, 2, 0, 2, 0, 0]
    assert np.array_equal(order, balanced_order(labels, seed=3))
    assert not np.array_equal(order, balanced_order(labels, seed=4))
