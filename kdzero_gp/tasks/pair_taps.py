"""The taps of a pair: those of each network alone, and those they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import TapError
from kdzero_gp.taps.find import DEPTHS, find_taps
from kdzero_gp.taps.match import TapPair, match_taps
from kdzero_gp.taps.override import Side, TapOverride
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.input import NetworkInput
from kdzero_gp.tasks.layout import fitting_layout, laid_out

IMAGES = 4


class NetworkSlot(NamedTuple):
    """One network of a pair with what it does with images."""

    model: nn.Module
    input: NetworkInput


class PairTaps(NamedTuple):
    """The taps of two networks.

    Attributes:
        teacher, student: all taps of each.
        shared: those that distillers read, under common names.
    """

    teacher: Taps
    student: Taps
    shared: TapPair


class Finder(Protocol):
    """Finds the taps of one network, as `find_taps` does."""

    def __call__(self, model: nn.Module, images: Tensor, override: Mapping[str, str] | None, /, *, depths: int) -> Taps:
        """Its taps, each with its role."""
        ...


class FoundTaps(NamedTuple):
    """The taps of a pair in the layout of images that both networks run in.

    Attributes:
        channels_last: whether images lie in memory channels last.
    """

    channels_last: bool
    taps: PairTaps


def settle_taps(
    teacher: NetworkSlot,
    student: NetworkSlot,
    data: Dataset,
    override: TapOverride | None = None,
    find: Finder = find_taps,
    *,
    device: torch.device | str = "cpu",
) -> FoundTaps:
    """Finds the taps of a pair on a few images, in the ordinary layout where either network fails in the faster one.

    Args:
        override: taps that the user sets.
        find: finds those of one network.
        device: of both networks.

    Raises:
        TapError: see `pair_taps`.
    """
    images = data.normalise(data.train.images[:IMAGES].to(device))

    def found(channels_last: bool) -> PairTaps:
        return pair_taps(teacher, student, laid_out(images, channels_last), override, find)

    return FoundTaps(*fitting_layout(data.image_shape, found))


def pair_taps(
    teacher: NetworkSlot,
    student: NetworkSlot,
    images: Tensor,
    override: TapOverride | None = None,
    find: Finder = find_taps,
) -> PairTaps:
    """Finds and matches the taps of a pair.

    A transformer of one resolution has as many stages as its partner; two such have three each.

    Args:
        images: (N, C, H, W), a few, as the data set normalises them.
        override: taps that the user sets.
        find: of one network; by default of one that ends in class scores.

    Raises:
        TapError: see `find_taps` and `match_taps`; says which network it is about.
    """
    override = override or TapOverride()
    return match_found(
        lambda depths: _found("teacher", teacher, images, override, depths, find),
        lambda depths: _found("student", student, images, override, depths, find),
        same_size=teacher.input.shape == student.input.shape,
        paired=override.paired,
    )


def match_found(
    teacher: Callable[[int], Taps], student: Callable[[int], Taps], *, same_size: bool, paired: Collection[str]
) -> PairTaps:
    """Finds the taps of both networks with equally many stages, and matches them.

    Args:
        teacher, student: find the taps of one network; they take the number of stages of a transformer.
        same_size, paired: see `match_taps`.
    """
    of_teacher = teacher(DEPTHS)
    of_student = student(len(of_teacher.stages) or DEPTHS)
    if len(of_teacher.stages) != len(of_student.stages):  # now the teacher may follow
        of_teacher = teacher(len(of_student.stages) or DEPTHS)
    shared = match_taps(of_teacher, of_student, same_size=same_size, paired=paired)
    return PairTaps(of_teacher, of_student, shared)


def _found(side: Side, slot: NetworkSlot, images: Tensor, override: TapOverride, depths: int, find: Finder) -> Taps:
    handle = slot.input.attach(slot.model)  # None where the network adapts its input by itself already
    try:
        return find(slot.model, images, getattr(override, side), depths=depths)
    except TapError as error:
        raise TapError(f"{side}: {error}") from None
    finally:
        if handle is not None:
            handle.remove()
