"""The two networks of a pair, made and checked once, before the teacher is trained for the data."""

from typing import NamedTuple

import torch

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ModelError, TapError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.models import input_size
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.taps.scores import scores_alone
from kdzero_gp.taps.training import require_same_in_training
from kdzero_gp.tasks.input import InputSpec, NetworkInput, parse_normalisation
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
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
        ModelError: one is unknown, cannot take these images, or gives something else than the task needs.
        ConfigError: an input that does not fit the data.
        TapError: their taps cannot be found, or not as `--taps` says.
    """
    kind = kind_of(config.task)
    mean, std = parse_normalisation(config.teacher_norm) or (None, None)
    teacher = untrained(config.teacher, InputSpec(_size(config.teacher_input, config.teacher), mean, std), data, kind)
    student = untrained(config.student, InputSpec(_size(config.student_input, config.student)), data, kind)
    images = data.normalise(data.train.images[:IMAGES])
    override = parse_taps(config.taps)
    for role, name, slot in (("teacher", config.teacher, teacher), ("student", config.student, student)):
        with scores_alone(slot.model, getattr(override, role).get(SCORES)):
            _check(role, name, slot, images, data, kind)
    taps = settle_taps(teacher, student, data, override, kind.find_taps)
    try:
        require_same_in_training(student.model, student.input(images), taps.taps.shared.student)
    except TapError as error:
        raise TapError(f"the student {config.student}: {error}") from None
    return Pair(teacher, student, taps)


def _size(given: int | None, name: str) -> tuple[int, int] | None:
    return (given, given) if given is not None else input_size(name)


def _check(role: str, name: str, slot: NetworkSlot, images: torch.Tensor, data: Dataset, kind: TaskKind) -> None:
    images = slot.input(images)
    shape = tuple(images.shape)
    origin = f"as {data.name} has them" if slot.input.size is None else f"to which those of {data.name} are resized"
    try:
        with torch.no_grad():
            output = slot.model(images)
    except Exception as error:  # it can be the user's own, and fail in any way
        raise ModelError(
            f"the {role} {name} fails on images of shape {shape}, {origin}: "
            f"{type(error).__name__}: {error}; take a network for such images, or resize them for it with "
            f"--{role}-input N"
        ) from error
    kind.check_output(output, data, images, f"the {role} {name}")


def untrained(name: str, spec: InputSpec, data: Dataset, kind: TaskKind) -> NetworkSlot:
    """Builds the network called `name` for these data with fixed initial weights, and its input.

    Raises:
        ModelError: it is unknown or cannot be built for these images.
        ConfigError: the input does not fit the data.
    """
    adapt = NetworkInput(spec, data)
    channels, height, width = adapt.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind.build(name, data, in_channels=channels, image_size=(height, width))
    return NetworkSlot(model.eval(), adapt)
