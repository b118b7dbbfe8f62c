"""A stretch of a training with a loss, parameters and an optimiser of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAIN = "train"
"""Name of the one phase that most methods have."""
PUBLISHED_EPOCHS = 240
"""Of the schedule that published weights, warm-ups and phases belong to, RepDistiller's for CIFAR-100."""


@dataclass(frozen=True)
class Phase:
    """One phase. Its optimiser begins anew, unless it continues the one before.

    Attributes:
        name: what `now.phase` is in it.
        share: of the schedule's epochs; those of a method's phases add up to 1, extra ones not counted.
        extra_epochs: published epochs before the schedule of `PUBLISHED_EPOCHS`, in place of a share of it. A training
            of another length has as many in proportion, and at least one. They see images in an order of their own, so
            the schedule itself sees the batches that every other method sees.
        trains: what the optimiser holds: `student`, or parts of it (`stageK`, `head`, `features`: all but the head);
            `method`, or names of modules of the method.
        ce_weight: of the task's loss beside the method's; None is the method's own.
        distils: whether the method's loss is asked for.
        lr: highest learning rate relative to the recipe's. Constant in an extra phase; else the phase has the recipe's
            whole schedule of learning rates for itself.
        student: whether the student is in training mode, in evaluation mode, or not run at all.
        continues: goes on with optimiser and learning rates of the phase before.
        anchor: the teacher is as it was after this share of its own training; None is as it is now.
    """

    name: str = MAIN
    share: float = 1.0
    extra_epochs: int = 0
    trains: tuple[str, ...] = ("student", "method")
    ce_weight: float | None = None
    distils: bool = True
    lr: float = 1.0
    student: Literal["train", "eval", "idle"] = "train"
    continues: bool = False
    anchor: float | None = None
