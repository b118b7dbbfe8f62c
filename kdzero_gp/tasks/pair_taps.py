"""The taps of a pair: those of each network alone, and those they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.taps.find import DEPTHS, find_taps
from kdzero_gp.taps.match import TapPair, match_taps
from kdzero_gp.taps.override import Side, TapOverride
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.input import NetworkInput


class Seat(NamedTuple):
    """One network of a pair with what it gets."""

    model: nn.Module
    input: NetworkInput


class PairTaps(NamedTuple):
    """What was found in two networks.

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


def pair_taps(
    teacher: Seat, student: Seat, images: Tensor, override: TapOverride | None = None, find: Finder = find_taps
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
    ours = _found("teacher", teacher, images, override, DEPTHS, find)
    theirs = _found("student", student, images, override, len(ours.stages) or DEPTHS, find)
    if len(ours.stages) != len(theirs.stages):  # now the teacher may follow
        ours = _found("teacher", teacher, images, override, len(theirs.stages) or DEPTHS, find)
    same_size = teacher.input.shape == student.input.shape
    return PairTaps(ours, theirs, match_taps(ours, theirs, same_size=same_size, paired=override.paired))


def _found(side: Side, seat: Seat, images: Tensor, override: TapOverride, depths: int, find: Finder) -> Taps:
    handle = seat.input.attach(seat.model)  # None where the network adapts its input by itself already
    try:
        return find(seat.model, images, getattr(override, side), depths=depths)
    except TapError as error:
        raise TapError(f"{side}: {error}") from None
    finally:
        if handle is not None:
            handle.remove()
