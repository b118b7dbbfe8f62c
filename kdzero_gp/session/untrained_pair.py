"""The networks of a pair as they are built, without weights, and what they want their images to be."""

from __future__ import annotations

from typing import NamedTuple

import torch

from kdzero_gp.data import Dataset
from kdzero_gp.models import build, input_size
from kdzero_gp.session.config import RunConfig
from kdzero_gp.tasks.network_input import InputSpec, NetworkInput
from kdzero_gp.tasks.normalisation import parse_normalisation
from kdzero_gp.tasks.pair_taps import Seat


class InputSpecs(NamedTuple):
    """What the two networks of a pair want their images to be."""

    teacher: InputSpec
    student: InputSpec


def input_specs(config: RunConfig) -> InputSpecs:
    """What the options say, and else the sizes that networks of one size were designed for."""

    def size(given: int | None, name: str) -> tuple[int, int] | None:
        return (given, given) if given is not None else input_size(name)

    constants = parse_normalisation(config.teacher_norm)
    mean, std = constants or (None, None)
    return InputSpecs(
        InputSpec(size(config.teacher_input, config.teacher), mean, std),
        InputSpec(size(config.student_input, config.student)),
    )


def untrained(name: str, spec: InputSpec, data: Dataset) -> Seat:
    """The network called `name` for this data, with initial weights that are always the same, and its input.

    Raises:
        ModelError: it is unknown or cannot be built for these images.
        ConfigError: the input does not fit the data.
    """
    adapt = NetworkInput(spec, data)
    channels, height, width = adapt.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(name, num_classes=data.num_classes, in_channels=channels, image_size=(height, width))
    return Seat(model.eval(), adapt)
