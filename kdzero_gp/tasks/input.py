"""The input of a network, where it differs from the data set's images.

Augmentation happens once, at the data set's resolution; each network of a pair gets the same views in its own size and
normalisation, a batch at a time.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from kdzero_gp.data import Dataset
from kdzero_gp.data.sources.source import SOURCES
from kdzero_gp.errors import ConfigError


@dataclass(frozen=True)
class InputSpec:
    """The input of one network; None stands for the data set's own.

    Attributes:
        size: (H, W); images are resized bilinearly, with antialiasing where they become smaller.
        mean, std: per channel, of pixels between 0 and 1.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"The input size is {self.size[0]}x{self.size[1]}, but must be at least 1x1")
        if (self.mean is None) != (self.std is None):
            raise ConfigError(f"mean is {self.mean} and std is {self.std}, but both or neither must be given")
        numbers = (*(self.mean or ()), *(self.std or ()))
        if not all(math.isfinite(number) for number in numbers) or any(number <= 0 for number in self.std or ()):
            raise ConfigError(f"mean is {self.mean} and std is {self.std}, but must be finite, and std above 0")


class NetworkInput:
    """Adapts normalised images of a data set to one network: `images = adapt(images)`.

    Args:
        spec: what the network wants.
        data: tells how its images are normalised, and their size.

    Attributes:
        shape: (C, H, W) of one image.
        mean, std: by which it is normalised, per channel.

    Raises:
        ConfigError: constants for another number of channels.
    """

    def __init__(self, spec: InputSpec, data: Dataset) -> None:
        channels, height, width = data.image_shape
        self.size = None if spec.size in (None, (height, width)) else spec.size
        self._antialias = self.size is not None and (self.size[0] < height or self.size[1] < width)
        self.shape = (channels, *(spec.size or (height, width)))
        self.mean, self.std = spec.mean or data.mean, spec.std or data.std
        self._constants: tuple[Tensor, Tensor] | None = None
        if spec.mean is None or spec.std is None or (spec.mean, spec.std) == (data.mean, data.std):
            return
        if not len(spec.mean) == len(spec.std) == channels:
            raise ConfigError(
                f"mean {spec.mean} and std {spec.std} are to normalise images of {data.name}, which have {channels} "
                "channels; give one number for each, or take --teacher-norm data"
            )
        ours, theirs = (torch.tensor(std, dtype=torch.float64) for std in (data.std, spec.std))
        offset = (torch.tensor(data.mean, dtype=torch.float64) - torch.tensor(spec.mean, dtype=torch.float64)) / theirs
        factor = ours / theirs
        self._constants = (factor.float().view(1, -1, 1, 1), offset.float().view(1, -1, 1, 1))

    @property
    def unchanged(self) -> bool:
        """Whether the network takes the images as they are."""
        return self.size is None and self._constants is None

    @property
    def identity(self) -> tuple[Any, ...]:
        """The settings that decide the outcome, as plain values."""
        constants = [constant.flatten().tolist() for constant in self._constants or ()]
        return self.shape, constants

    def __call__(self, images: Tensor) -> Tensor:
        """Adapts (N, C, H, W) float of the data set to (N, C, H', W'); the same tensor where nothing differs."""
        if self._constants is not None:
            factor, offset = (constant.to(images.device, images.dtype) for constant in self._constants)
            images = images * factor + offset
        if self.size is not None:
            images = F.interpolate(images, self.size, mode="bilinear", align_corners=False, antialias=self._antialias)
        return images

    def attach(self, model: nn.Module) -> RemovableHandle | None:
        """Makes `model` adapt its own input from now on; returns None where nothing is to be done.

        A hook, and not a module around it: names of weights and taps stay as they are.
        """
        if self.unchanged or adapts_itself(model):
            return None
        return model.register_forward_pre_hook(_Hook(self))


def adapts_itself(model: nn.Module) -> bool:
    """Tells whether a `NetworkInput` was attached to it."""
    return any(isinstance(hook, _Hook) for hook in model._forward_pre_hooks.values())


class _Hook:
    """Adapts the first argument of a model's forward pass."""

    def __init__(self, adapt: NetworkInput) -> None:
        self.adapt = adapt

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.adapt(inputs[0]), *inputs[1:])


def network_input(wanted: InputSpec | NetworkInput | None, data: Dataset) -> NetworkInput:
    """Makes the input of a network; a made one is returned unchanged.

    Raises:
        ConfigError: constants for another number of channels.
    """
    return wanted if isinstance(wanted, NetworkInput) else NetworkInput(wanted or InputSpec(), data)


Constants = tuple[tuple[float, ...], tuple[float, ...]]


def published_constants() -> dict[str, Constants]:
    """Gives mean and standard deviation of the data sets that publish them, by name, sorted."""
    facts = {name: SOURCES[name].source for name in sorted(SOURCES)}
    return {name: (f.mean, f.std) for name, f in facts.items() if f.mean is not None and f.std is not None}


def parse_normalisation(text: str) -> Constants | None:
    """Reads mean and standard deviation per channel, of pixels between 0 and 1; None for `data`, the data set's own.

    Args:
        text: `data`, `cifar10`, `cifar100`, `imagenet`, or the numbers: `0.507,0.487,0.441/0.267,0.256,0.276`.

    Raises:
        ConfigError: anything else.
    """
    if text == "data":
        return None
    published = published_constants()
    if text in published:
        return published[text]
    try:
        mean, std = (tuple(float(number) for number in part.split(",")) for part in text.split("/"))
    except ValueError:
        close = difflib.get_close_matches(text, ["data", *published], n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"--teacher-norm is '{text}', but must be data, {', '.join(published)}, or mean and standard deviation of "
            f"each channel, such as 0.5,0.5,0.5/0.25,0.25,0.25{hint}"
        ) from None
    if len(mean) != len(std) or not all(0 < number < float("inf") for number in std):
        raise ConfigError(
            f"--teacher-norm is '{text}', but must have as many standard deviations as means, all above 0"
        )
    return mean, std
