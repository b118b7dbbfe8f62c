"""The two networks of a pair, made and checked once, before the teacher is trained for the data."""

from typing import NamedTuple

import torch

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ModelError
from kdzero_gp.models import build, input_size
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import InputSpec, NetworkInput, parse_normalisation
from kdzero_gp.tasks.pair_taps import FoundTaps, NetworkSlot, settle_taps

IMAGES = 2


class Pair(NamedTuple):
    """Two networks for a data set, as they are handed on.

    Attributes:
        teacher, student: with initial weights, always the same, and what each does with images.
        found: their taps, which do not depend on weights.
    """

    teacher: NetworkSlot
    student: NetworkSlot
    found: FoundTaps


def make_pair(config: PairConfig, data: Dataset) -> Pair:
    """Builds both networks, shows them two images, each in its own size and normalisation, and finds their taps.

    Raises:
        ModelError: one is unknown, cannot take these images, or does not score the data's classes.
        ConfigError: an input that does not fit the data.
        TapError: their taps cannot be found, or not as `--taps` says.
    """
    mean, std = parse_normalisation(config.teacher_norm) or (None, None)
    teacher = untrained(config.teacher, InputSpec(_size(config.teacher_input, config.teacher), mean, std), data)
    student = untrained(config.student, InputSpec(_size(config.student_input, config.student)), data)
    images = data.normalise(data.train.images[:IMAGES])
    _check("teacher", config.teacher, teacher, images, data)
    _check("student", config.student, student, images, data)
    return Pair(teacher, student, settle_taps(teacher, student, data, parse_taps(config.taps)))


def _size(given: int | None, name: str) -> tuple[int, int] | None:
    return (given, given) if given is not None else input_size(name)


def _check(role: str, name: str, slot: NetworkSlot, images: torch.Tensor, data: Dataset) -> None:
    images = slot.input(images)
    shape = tuple(images.shape)
    origin = f"as {data.name} has them" if slot.input.size is None else f"to which those of {data.name} are resized"
    try:
        with torch.no_grad():
            scores = slot.model(images)
    except Exception as error:  # it can be the user's own, and fail in any way
        raise ModelError(
            f"the {role} {name} fails on images of shape {shape}, {origin}: "
            f"{type(error).__name__}: {error}; take a network for such images, or resize them for it with "
            f"--{role}-input N"
        ) from error
    if not isinstance(scores, torch.Tensor) or scores.dim() != 2 or len(scores) != len(images):
        found = f"shape {tuple(scores.shape)}" if isinstance(scores, torch.Tensor) else f"a {type(scores).__name__}"
        raise ModelError(
            f"the {role} {name} gives {found} for images of shape {shape}, but must give class scores "
            f"({len(images)}, {data.num_classes})"
        )
    if scores.shape[1] != data.num_classes:
        raise ModelError(
            f"the {role} {name} scores {scores.shape[1]} classes, but {data.name} has {data.num_classes}; teacher, "
            "student and data must have the same classes: build the network for `num_classes`"
        )


def untrained(name: str, spec: InputSpec, data: Dataset) -> NetworkSlot:
    """Builds the network called `name` for this data, with initial weights that are always the same, and its input.

    Raises:
        ModelError: it is unknown or cannot be built for these images.
        ConfigError: the input does not fit the data.
    """
    adapt = NetworkInput(spec, data)
    channels, height, width = adapt.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(name, num_classes=data.num_classes, in_channels=channels, image_size=(height, width))
    return NetworkSlot(model.eval(), adapt)
