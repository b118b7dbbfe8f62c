"""Whether two networks can be used for a data set, seen before the teacher is trained for it."""

from __future__ import annotations

from typing import NamedTuple

import torch

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ModelError
from kdzero_gp.models import input_size
from kdzero_gp.run.config import RunConfig
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import InputSpec, NetworkInput, parse_normalisation
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.pair_taps import PairTaps, Seat, pair_taps

IMAGES = 2


def check_pair(config: RunConfig, data: Dataset) -> PairTaps:
    """Builds both networks and shows them two images, each in its own size and normalisation.

    Returns:
        Their taps, which do not depend on weights.

    Raises:
        ModelError: one is unknown, cannot take these images, or gives something else than the task needs.
        ConfigError: an input that does not fit the data.
        TapError: their taps cannot be found, or not as `--taps` says.
    """
    images = data.normalise(data.train.images[:IMAGES])
    specs, kind = input_specs(config), kind_of(config.task)
    seats = []
    for role, name, spec in (("teacher", config.teacher, specs.teacher), ("student", config.student, specs.student)):
        seats.append(untrained(name, spec, data, kind))
        _check(role, name, seats[-1], images, data, kind)
    return pair_taps(seats[0], seats[1], images, parse_taps(config.taps), kind.find_taps)


def _check(role: str, name: str, seat: Seat, images: torch.Tensor, data: Dataset, kind: TaskKind) -> None:
    images = seat.input(images)
    shape = tuple(images.shape)
    origin = f"as {data.name} has them" if seat.input.size is None else f"to which those of {data.name} are resized"
    try:
        with torch.no_grad():
            output = seat.model(images)
    except Exception as error:  # it can be the user's own, and fail in any way
        raise ModelError(
            f"the {role} {name} fails on images of shape {shape}, {origin}: "
            f"{type(error).__name__}: {error}; take a network for such images, or resize them for it with "
            f"--{role}-input N"
        ) from error
    kind.check_output(output, data, images, f"the {role} {name}")


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


def untrained(name: str, spec: InputSpec, data: Dataset, kind: TaskKind) -> Seat:
    """The network called `name` for this data, with initial weights that are always the same, and its input.

    Raises:
        ModelError: it is unknown or cannot be built for these images.
        ConfigError: the input does not fit the data.
    """
    adapt = NetworkInput(spec, data)
    channels, height, width = adapt.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind.build(name, data, in_channels=channels, image_size=(height, width))
    return Seat(model.eval(), adapt)
