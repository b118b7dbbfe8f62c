"""What a final training tells: every epoch, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from kdzero_gp.tasks.kind import TaskKind


@dataclass(frozen=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: 1-based.
        steps: done since the beginning.
        loss: mean over the epoch's steps.
        terms: its weighted parts, which add up to it: the task's own loss by its short name, such as `ce`, and the
            distiller's terms by their text.
        lr: of the last step.
        val_accuracy: on the validation split, 0 … 1, the quality that the kind of task is ranked by, whatever it is
            (classification's gave it its name, which training folders keep); None where the student is trained on it.
        seconds: of wall time.
    """

    epoch: int
    steps: int
    loss: float
    terms: Mapping[str, float]
    lr: float
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """The result of a final training: the student of the last epoch.

    Attributes:
        student: in evaluation mode.
        measured: on the test split, 0 … 1: the quality that the kind of task is ranked by and, behind it, further
            measures, by their names in result files; None for one that there is not, such as `top5` of five classes.
        log: every epoch.
        calibration: one factor for each of the distiller's terms; None for the student alone.
        folder: where the files are; None where nothing was written.
        seconds: of all epochs.
    """

    student: nn.Module
    measured: Mapping[str, float | None]
    log: tuple[EpochLog, ...]
    calibration: tuple[float, ...] | None
    folder: Path | None
    seconds: float
    kind: TaskKind

    @property
    def quality(self) -> float:
        """What the tables rank students by, 0 … 1."""
        value = self.measured[self.kind.quality.record]
        if value is None:
            raise AssertionError("every student has a quality")
        return value

    @property
    def top1(self) -> float:
        """Top-1 accuracy of a classifier on the test split, 0 … 1."""
        return self.quality

    @property
    def top5(self) -> float | None:
        """How often the label is among a classifier's five highest scores; None with five classes or fewer."""
        return self.measured.get("top5")


class FitObserver(Protocol):
    """Follows a final training."""

    def started(self, title: str, epochs: int, done: int, folder: Path | None) -> None:
        """Is called before the first epoch; `done` are those of an earlier process."""

    def epoch_done(self, log: EpochLog) -> None:
        """Is called after every epoch, once it is stored."""

    def warned(self, text: str) -> None:
        """Is told what looks wrong, but goes on."""

    def finished(self, result: FitResult) -> None:
        """Is called at the end."""


class Silent:
    """Follows nothing."""

    def started(self, title: str, epochs: int, done: int, folder: Path | None) -> None:
        """Does nothing."""

    def epoch_done(self, log: EpochLog) -> None:
        """Does nothing."""

    def warned(self, text: str) -> None:
        """Does nothing."""

    def finished(self, result: FitResult) -> None:
        """Does nothing."""
