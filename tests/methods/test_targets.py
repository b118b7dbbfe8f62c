"""A class of an image as a map of classes and as a box."""

import torch

from kdzero_gp.methods.targets import label_map, whole_image


def test_the_class_of_an_image_stands_everywhere() -> None:
    maps = label_map(torch.tensor([3, 1]), (2, 3))
    assert maps.tolist() == [[[3, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 1, 1]]]
    assert maps.dtype == torch.int64


def test_a_map_of_classes_is_brought_to_size_by_the_nearest_place() -> None:
    classes = torch.arange(16).view(1, 4, 4) + 2**40
    assert label_map(classes, (2, 2)).tolist() == [[[2**40, 2**40 + 2], [2**40 + 8, 2**40 + 10]]]
    assert label_map(classes, (4, 4)) is classes


def test_the_one_box_is_the_whole_image() -> None:
    assert [box.tolist() for box in whole_image(torch.tensor([3, 1]))] == [[[0, 0, 1, 1]], [[0, 0, 1, 1]]]
