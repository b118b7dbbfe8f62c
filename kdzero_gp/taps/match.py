"""Matches the taps of two networks."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from kdzero_gp.errors import TapError
from kdzero_gp.taps.tap import Taps


class TapPair(NamedTuple):
    """The taps that teacher and student share, under the same names in the same order."""

    teacher: Taps
    student: Taps


def match_taps(teacher: Taps, student: Taps, *, same_size: bool = True, paired: Collection[str] = ()) -> TapPair:
    """Keeps the taps that both networks have.

    With equally many stages they are matched by order, whatever their resolutions. Otherwise a stage is
    matched with the other network's stage of the same resolution (H, W), and the matched ones are numbered
    anew from 1; if no resolution is shared, or the networks see images of different sizes, the last stages are
    matched, deepest with deepest.

    Args:
        same_size: whether both networks get images of one size.
        paired: names of stages that the user has set in both networks. If the numbers of stages differ, these and no
            others are matched, each with that of the same name.

    Raises:
        TapError: class scores have different sizes, that is, the networks tell a different number of classes
            apart.
    """
    for name in teacher.of_role("scores"):
        if name in student and teacher[name].shape != student[name].shape:
            raise TapError(
                f"The teacher scores {teacher[name].shape[0]} classes and the student "
                f"{student[name].shape[0]}, but both must be trained for the same classes"
            )
    matched = [
        (f"stage{number}", teacher[ours], student[theirs])
        for number, (ours, theirs) in enumerate(_stage_pairs(teacher, student, same_size, paired), 1)
    ]
    matched += [(name, tap, student[name]) for name, tap in teacher.items() if tap.role != "map" and name in student]
    return TapPair(
        Taps(tuple((name, tap) for name, tap, _ in matched)),
        Taps(tuple((name, tap) for name, _, tap in matched)),
    )


def _stage_pairs(teacher: Taps, student: Taps, same_size: bool, paired: Collection[str]) -> list[tuple[str, str]]:
    if len(teacher.stages) == len(student.stages):
        return list(zip(teacher.stages, student.stages, strict=True))
    given = [name for name in teacher.stages if name in paired and name in student]
    if given:
        return [(name, name) for name in given]
    by_resolution = {student[name].shape[1:]: name for name in student.stages}
    pairs = [
        (name, by_resolution[teacher[name].shape[1:]])
        for name in teacher.stages
        if teacher[name].shape[1:] in by_resolution
    ]
    if pairs and same_size:
        return pairs
    count = min(len(teacher.stages), len(student.stages))
    return list(
        zip(
            teacher.stages[len(teacher.stages) - count :],
            student.stages[len(student.stages) - count :],
            strict=True,
        )
    )
