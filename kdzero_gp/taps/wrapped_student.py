"""A student inside a network that a method puts around it."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from kdzero_gp.taps.tap import Tap, Taps


class WrappedStudent(nn.Module):
    """Wraps a student in training and test: the taps are the student's, the scores the wrapper's.

    A subclass gives the scores in `forward`.
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student


def student_inside(student: nn.Module) -> nn.Module:
    """Gives the student inside a method's wrapper."""
    return student.student if isinstance(student, WrappedStudent) else student


def places_in(student: nn.Module, taps: Taps) -> Taps:
    """Maps the bare student's taps to their places in this network."""
    if not isinstance(student, WrappedStudent):
        return taps
    moved = {name: replace(tap, path=f"student.{tap.path}".rstrip(".")) for name, tap in taps.items()}
    moved |= {name: Tap("", taps[name].shape, "scores") for name in taps.of_role("scores")}
    return Taps(tuple(moved.items()))
