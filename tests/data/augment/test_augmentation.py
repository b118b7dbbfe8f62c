"""Views of a split: what a plain loop over the images gives, the same every time."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp.data import NO_AUGMENTATION, Augmentation, Dataset, ImageBatches, Split
from kdzero_gp.data.batches import in_memory as batches
from kdzero_gp.errors import ConfigError

CROP_AND_FLIP = Augmentation(padding=2, flip=True, views=3)


def dataset(channels: int = 3, count: int = 30) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, channels, 6, 5), generator=generator).to(torch.uint8)
    split = Split(pixels, torch.arange(count) % 2)
    return Dataset("noise", 2, split, split, split, (0.5,) * channels, (0.2, 0.25, 0.3)[:channels], 255.0)


def one_by_one(data: Dataset, augmentation: Augmentation, numbers: Tensor, view: int) -> Tensor:
    """Every image by itself: a border, the crop, the mirror image, then the normalisation, as RepDistiller has it."""
    shifts = augmentation.shifts(view, len(data.train))
    images = []
    for number in numbers.tolist():
        bordered = F.pad(data.train.images[number], (augmentation.padding,) * 4)
        top, left = int(shifts.top[number]), int(shifts.left[number])
        cut = bordered[:, top : top + 6, left : left + 5]
        images.append(cut.flip(2) if shifts.flip[number] else cut)
    return data.normalise(torch.stack(images))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "augmentation", [CROP_AND_FLIP, Augmentation(padding=1, views=2), Augmentation(flip=True, views=2, seed=2**40)]
)
def test_a_view_is_that_of_a_plain_loop(augmentation: Augmentation, channels: int, channels_last: bool) -> None:
    data = dataset(channels)
    images = ImageBatches(data, data.train, augmentation, channels_last=channels_last)
    numbers = torch.tensor([7, 0, 29, 7, 13])
    for view in range(augmentation.views):
        served = images(numbers, view)
        assert torch.equal(served, one_by_one(data, augmentation, numbers, view))
        assert served.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        assert torch.equal(served, images(numbers, view)), "the same bits again"
    assert torch.equal(images(numbers), data.normalise(data.train.images[numbers])), "no view: the image as it is"


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("small", [0, 2**30])
def test_without_augmentation_images_are_normalised(
    small: int, channels_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SMALL", small)
    data = dataset()
    images = ImageBatches(data, data.train, channels_last=channels_last)
    numbers = torch.tensor([3, 1, 3])
    served = images(numbers)
    assert torch.equal(served, data.normalise(data.train.images)[numbers])
    assert served.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    assert len(images) == 30


def test_views_differ_and_repeat() -> None:
    first, second = (CROP_AND_FLIP.shifts(view, 500) for view in (0, 1))
    again = Augmentation(padding=2, flip=True, views=9).shifts(0, 500)
    assert torch.equal(first.top, again.top), "the number of views changes none"
    assert torch.equal(first.flip, again.flip)
    assert not torch.equal(first.top, second.top)
    assert not torch.equal(first.top, Augmentation(padding=2, flip=True, seed=1).shifts(0, 500).top)
    for offsets in (first.top, first.left):
        assert set(offsets.tolist()) == {0, 1, 2, 3, 4}
    assert 0.4 < float(first.flip.double().mean()) < 0.6
    assert not Augmentation(padding=2).shifts(0, 500).flip.any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"padding": -1}, "padding is -1, but must be 0 or more"),
        ({"padding": 1, "views": 0}, "views is 0, but must be at least 1"),
        ({"views": 2}, "views is 2, but must be 1 without padding and flip"),
        ({"flip": True, "seed": -1}, "seed is -1"),
        ({"area": (0.0, 1.0)}, r"area is \(0.0, 1.0\), but must be two ascending shares"),
        ({"area": (0.5, 0.4)}, "area is"),
        ({"area": (0.5, 1.0), "padding": 1}, "None where there is a padding"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augmentation(**values)
    with pytest.raises(ConfigError, match="view is 3, but must be 0 … 2"):
        CROP_AND_FLIP.shifts(3, 4)
    assert not NO_AUGMENTATION.active
