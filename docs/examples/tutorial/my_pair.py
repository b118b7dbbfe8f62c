"""The teacher and the student of the tutorial: any two image classifiers will do."""

from torch import nn


def _block(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


def _network(widths: tuple[int, int, int], num_classes: int) -> nn.Sequential:
    first, second, third = widths
    return nn.Sequential(
        _block(3, first, 1),
        _block(first, second, 2),
        _block(second, third, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(third, num_classes),
    )


def big(num_classes: int) -> nn.Module:
    """The teacher: 24,021 parameters for five classes."""
    return _network((16, 32, 64), num_classes)


def small(num_classes: int) -> nn.Module:
    """The student: 466 parameters for five classes."""
    return _network((3, 4, 6), num_classes)
