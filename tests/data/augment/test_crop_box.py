"""Random resized crops: torchvision's distribution, and the same crop every time."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from kdzero_gp.data.augment.crop_box import Crop

AREA = (0.08, 1.0)


def figures(boxes: list[tuple[int, int, int, int]], height: int, width: int) -> np.ndarray:
    """Of each crop: its share of the area, the logarithm of its ratio, and where its centre lies, 0 … 1."""
    return np.array(
        [
            (h * w / (height * width), math.log(w / h), (top + h / 2) / height, (left + w / 2) / width)
            for top, left, h, w in boxes
        ]
    )


def test_crops_are_distributed_as_torchvisions() -> None:
    height, width, count = 300, 400, 4000
    ours = []
    for number in range(count):
        box = Crop((0, 0, 0, 1, number), AREA).box(height, width)
        assert 0 <= box.top <= height - box.height
        assert 0 <= box.left <= width - box.width
        ours.append((box.top, box.left, box.height, box.width))
    torch.manual_seed(0)
    theirs = [
        RandomResizedCrop.get_params(torch.empty(3, height, width), list(AREA), [3 / 4, 4 / 3]) for _ in range(count)
    ]
    one, other = figures(ours, height, width), figures(theirs, height, width)
    errors = np.sqrt((one.var(0) + other.var(0)) / count)
    assert (np.abs(one.mean(0) - other.mean(0)) < 5 * errors).all()
    assert one.std(0) == pytest.approx(other.std(0), rel=0.06)


@pytest.mark.parametrize(("height", "width", "expected"), [(300, 10, (13, 10)), (10, 300, (10, 13)), (20, 22, None)])
def test_a_crop_that_fits_nowhere_is_central(height: int, width: int, expected: tuple[int, int] | None) -> None:
    box = Crop((3,), (1.0, 1.0)).box(height, width)
    if expected is None:
        assert box.height <= height
        assert box.width <= width
        return
    assert (box.height, box.width) == expected
    assert (box.top, box.left) == ((height - expected[0]) // 2, (width - expected[1]) // 2)


def test_the_same_key_gives_the_same_crop() -> None:
    first = [Crop((1, 2, number), AREA).box(50, 60) for number in range(20)]
    assert first == [Crop((1, 2, number), AREA).box(50, 60) for number in range(20)]
    assert first != [Crop((1, 3, number), AREA).box(50, 60) for number in range(20)]
    assert len(set(first)) > 15
