"""The augmentations by name: crops that suit the images, and views that nobody has to keep."""

import pytest

from kdzero_gp.data import NO_AUGMENTATION, Augmentation, Dataset, load_dataset, named_augmentation
from kdzero_gp.data.augment.named import ENDLESS
from kdzero_gp.data.sources import folder


def small(write_pictures, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    return load_dataset(f"folder:{write_pictures('cat', 'dog')}")


def many(write_pictures, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Images of one small size, but too many for the memory."""
    monkeypatch.setattr(folder, "MEMORY", 0)
    return small(write_pictures, monkeypatch)


def mixed(write_pictures, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    return load_dataset(f"folder:{write_pictures('cat', 'dog', size=None)}@16")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (small, {"padding": 4, "views": 5}),
        (many, {"padding": 4, "views": ENDLESS}),
        (mixed, {"area": (0.08, 1.0), "views": ENDLESS}),
    ],
)
def test_crops_suit_the_images(write_pictures, monkeypatch: pytest.MonkeyPatch, make, expected) -> None:
    data = make(write_pictures, monkeypatch)
    assert named_augmentation("none", data, views=5) == NO_AUGMENTATION
    assert named_augmentation("crop-flip", data, views=5) == Augmentation(flip=True, **expected)
    assert named_augmentation("strong", data, views=5) == Augmentation(flip=True, strong=True, **expected)
