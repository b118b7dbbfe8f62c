"""What a final training tells: every epoch, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn


@dataclass(frozen=True)
class EpochLog:
    """One epoch.

    Attributes:
        epoch: 1-based.
        steps: done since the beginning.
        loss: mean over the epoch's steps.
        terms: its weighted parts, which add up to it: `ce`, and the distiller's terms by their text.
        lr: of the last step.
        val_accuracy: share of the validation split, 0 … 1; None where the student is trained on it.
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
    """The end of a final training: the student of the last epoch, whatever earlier ones were worth.

    Attributes:
        student: in evaluation mode.
        top1: share of the test split that it gets right, 0 … 1.
        top5: how often the label is among its five highest scores; None with five classes or fewer.
        log: every epoch.
        calibration: one factor for each of the distiller's terms; None for the student alone.
        folder: where the files are; None where nothing was written.
        seconds: of all epochs.
    """

    student: nn.Module
    top1: float
    top5: float | None
    log: tuple[EpochLog, ...]
    calibration: tuple[float, ...] | None
    folder: Path | None
    seconds: float


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
