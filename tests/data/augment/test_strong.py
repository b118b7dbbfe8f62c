"""RandAugment and random erasing: torchvision's operations, the documented shares, and the same image every time."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from kdzero_gp.data import Augmentation, Dataset, ImageBatches, Split
from kdzero_gp.data.augment.strong import AREA, ERASED, OPERATIONS, Strong, erase, rand_augment
from kdzero_gp.errors import ConfigError

NAMES = tuple(v2.RandAugment._AUGMENTATION_SPACE)
STRONG = Augmentation(padding=4, flip=True, views=2, strong=True)


def pictures(count: int = 6, channels: int = 3, height: int = 20, width: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth * 255).to(torch.uint8)


def none_erased(operation: list[list[int]]) -> Strong:
    return Strong(torch.tensor(operation), torch.zeros(len(operation), 4))


@pytest.mark.parametrize("place", range(len(NAMES)), ids=NAMES)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_is_torchvisions(place: int, sign: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(channels=channels)
    library = v2.RandAugment(num_ops=1, magnitude=9)
    entry = library._AUGMENTATION_SPACE[NAMES[place]]
    monkeypatch.setattr(library, "_get_random_item", lambda space: (NAMES[place], entry))
    monkeypatch.setattr(torch, "rand", lambda size: torch.tensor(0.4 if sign < 0 else 0.6))
    expected = torch.stack([library(image) for image in images])
    assert torch.equal(rand_augment(images, none_erased([[place if sign > 0 else ~place, 0]] * 6)), expected)


def test_two_rounds_of_each_images_own_operations() -> None:
    images = pictures()
    chosen = [[1, 13], [1, ~5], [0, 0], [~3, 7], [11, 11], [13, 1]]
    together = rand_augment(images, none_erased(chosen))
    for number, (first, second) in enumerate(chosen):
        one = rand_augment(images[number : number + 1], none_erased([[first, 0]]))
        assert torch.equal(together[number : number + 1], rand_augment(one, none_erased([[second, 0]])))
    assert torch.equal(together[2], images[2])


def test_holes_are_those_of_a_plain_loop() -> None:
    images = torch.randn(3, 2, 7, 9)
    hole = torch.tensor([[0.1, 0.5, 0.2, 0.9], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.5, 0.6]])
    erased = erase(images, Strong(torch.zeros(3, 2, dtype=torch.int64), hole))
    for number, row, column in np.ndindex(3, 7, 9):
        top, bottom, left, right = hole[number].tolist()
        inside = top <= (row + 0.5) / 7 < bottom and left <= (column + 0.5) / 9 < right
        for channel in range(2):
            expected = 0.0 if inside else float(images[number, channel, row, column])
            assert float(erased[number, channel, row, column]) == expected


def test_shares_of_operations_and_holes() -> None:
    count = 20_000
    draws = Strong.drawn((0, 0, 3, 1), count)
    places = torch.where(draws.operation < 0, ~draws.operation, draws.operation)
    assert set(places.flatten().tolist()) == set(range(len(OPERATIONS)))
    shares = torch.bincount(places.flatten()).double() / (2 * count)
    assert float((shares - 1 / len(OPERATIONS)).abs().max()) < 0.01
    assert float((draws.operation < 0).double().mean()) == pytest.approx(0.5, abs=0.01)
    top, bottom, left, right = draws.hole.double().unbind(1)
    area = (bottom - top) * (right - left)
    assert float((area > 0).double().mean()) == pytest.approx(ERASED, abs=0.01)
    some = area[area > 0]
    assert AREA[0] * 0.99 < float(some.min()) < float(some.max()) < AREA[1] * 1.01
    assert float(some.mean()) == pytest.approx(sum(AREA) / 2, abs=0.01)
    assert 0 <= float(draws.hole.min()) <= float(draws.hole.max()) <= 1 + 1e-6


def dataset(channels: int = 3) -> Dataset:
    split = Split(pictures(40, channels), torch.arange(40) % 2)
    return Dataset("smooth", 2, split, split, split, (0.5,) * channels, (0.25,) * channels, 255.0)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_is_one_image_however_it_is_asked_for(channels: int) -> None:
    data = dataset(channels)
    one, other = (ImageBatches(data, data.train, STRONG) for _ in range(2))
    everything = [one(torch.arange(40), view) for view in (0, 1)]
    numbers = torch.tensor([33, 2, 7, 33])
    assert torch.equal(other(numbers, 1), everything[1][numbers]), "another batch, another process, another order"
    assert not torch.equal(everything[0], everything[1])
    assert torch.equal(other(numbers), data.normalise(data.train.images[:][numbers])), "no view: the image as it is"


def test_the_spatial_part_is_that_of_crop_and_flip() -> None:
    data = dataset()
    weak = ImageBatches(data, data.train, Augmentation(padding=4, flip=True, views=2))
    strong = ImageBatches(data, data.train, STRONG)
    draws = Strong.drawn(STRONG.key(0), 40)
    plain = [n for n in range(40) if draws.operation[n].tolist() in ([0, 0], [~0, 0]) or not draws.operation[n].any()]
    numbers = torch.arange(40)
    same = (weak(numbers, 0) == strong(numbers, 0)).flatten(1).all(1)
    untouched = [n for n in plain if float(draws.hole[n].abs().sum()) == 0 or draws.hole[n, 0] == draws.hole[n, 1]]
    assert set(untouched) <= set(same.nonzero().flatten().tolist())
    assert int(same.sum()) < 20


def test_colours_that_cannot_be_changed_are_refused() -> None:
    data = dataset(4)
    with pytest.raises(ConfigError, match="images of smooth have 4 channels instead of 1 or 3; use crop-flip"):
        ImageBatches(data, data.train, STRONG)
