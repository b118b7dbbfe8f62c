"""The final distillation of one student, stored after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from kdzero_gp.errors import ConfigError, KdzeroError, StoreError
from kdzero_gp.loops.ranks import ALONE, Ranks
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.loops.single import DivergedError
from kdzero_gp.methods.named import NamedDistiller
from kdzero_gp.store.config_difference import config_differences
from kdzero_gp.store.folder import FolderLock, make_empty
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.train.files import read_checkpoint, write_checkpoint
from kdzero_gp.train.job import Fit
from kdzero_gp.train.record import EpochLog, FitObserver, FitResult, Silent
from kdzero_gp.train.result import ended

RISEN = 3.0
"""By what factor the loss must exceed that of its best epoch for a warning: a student that learns stays below."""


class FitError(KdzeroError):
    """A final training that cannot be brought to its end."""


def fit(
    task: Task,
    named: NamedDistiller,
    recipe: Recipe,
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    resume: bool = False,
    calibrate: bool = False,
    validate: bool = True,
    accumulate: int = 1,
    ranks: Ranks = ALONE,
    about: Mapping[str, str] | None = None,
    observer: FitObserver | None = None,
) -> FitResult:
    """Trains a student on the task's training split by a whole recipe; its last epoch is the result.

    Args:
        task: teacher, student and data; its own recipes are not used.
        named: the distiller, from `kdzero_gp.methods.named.named_distiller`. A warm-up is scaled to the schedule.
        recipe: its `ce_weight` gives way to the distiller's.
        seed: student, batches and the distiller's own weights derive from it.
        folder: for a checkpoint after every epoch and for the results; None writes nothing.
        resume: go on with what `folder` holds. On a CPU the result is the same bit for bit.
        calibrate: scale every term to the gradient norm of the student's own loss, where the distiller brings no
            calibration.
        validate: measure the student on validation images after every epoch; to be switched off where it is trained on.
        accumulate: forward passes of each step, see `ShardedTraining`.
        ranks: the processes of a data-parallel training, all on one file system.
        about: for the header of the student's file: `student`, `teacher`, `data`.
        observer: follows the training.

    Raises:
        FitError: the loss became NaN or infinite.
        ConfigError: `folder` holds a training of another task, distiller, recipe or seed.
        StoreError: the folder cannot be used.
    """
    job = Fit(task, named, recipe, seed, calibrate, validate, accumulate)
    observer = observer if observer is not None and ranks.first else Silent()
    place = None if folder is None else Path(folder)
    with ExitStack() as stack:
        if place is not None and ranks.first:
            _enter(place, stack, resume=resume)
        stored = read_checkpoint(place) if place is not None and resume else None
        log: list[EpochLog] = []
        if stored is None:
            training = job.training(ranks, job.factors())
        else:
            state, log, identity = stored
            _require_same(place, identity, job.identity)
            factors = state.get("distiller.calibration", state.get("distiller.distiller.calibration"))
            training = job.training(ranks, None if factors is None else tuple(factors.tolist()))
            training.restore(state)
        observer.started(f"{task.name}: {named.name}, seed {seed}", training.epochs, len(log), place)
        _epochs(job, training, log, place, observer)
        result = ended(job, training, log, place if ranks.first else None, dict(about or {}))
        observer.finished(result)
        return result


def _enter(folder: Path, stack: ExitStack, *, resume: bool) -> None:
    if not resume:
        make_empty(folder)
    elif not folder.is_dir():
        raise StoreError(f"there is no folder {folder}; name one that holds a training")
    stack.callback(FolderLock(folder).release)


def _require_same(folder: Path | None, stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if differing := config_differences(stored, now, ()):
        raise ConfigError(
            f"{folder} holds another training:\n  " + "\n  ".join(differing) + "\n"
            "A training goes on as it was begun: leave these options out, or begin a new one in another folder"
        )


def _epochs(
    job: Fit, training: ShardedTraining, log: list[EpochLog], folder: Path | None, observer: FitObserver
) -> None:
    warned = False
    for epoch in range(len(log), training.epochs):
        started = time.perf_counter()
        try:
            training.advance((epoch + 1) * training.per_epoch)
        except DivergedError as error:
            raise FitError(_diverged(training, str(error))) from None
        loss, terms = training.meter.take()
        first = training.ranks.first
        val = _quality(job.task, training.student) if first and job.validate else None
        seconds = time.perf_counter() - started
        row = EpochLog(epoch + 1, training.step, loss, terms, training.rates[training.step - 1], val, seconds)
        log.append(row)
        if first and folder is not None:
            write_checkpoint(folder, training.state(), log, job.identity)
        observer.epoch_done(row)
        settled = [past.loss for past in log if past.steps > training.settles]
        if settled and loss > RISEN * min(settled) > 0 and not warned:
            warned = True
            observer.warned(
                f"the loss of epoch {epoch + 1} is {loss:.4g}, and was {min(settled):.4g} in an earlier one: the "
                "training may be diverging; a lower --lr, or a --clip, is the usual remedy"
            )


def _quality(task: Task, student: nn.Module) -> float:
    """Tells what the student is worth on the validation split, 0 … 1."""
    return task.kind.measures(task, student, "val")[task.kind.quality.key]


def _diverged(training: ShardedTraining, what: str) -> str:
    rate = training.rates[max(0, training.step - 1)]
    epoch = math.ceil(training.step / training.per_epoch)
    terms = {} if training.method is None else training.method.terms()
    bad = [f"`{name}`" for name, value in terms.items() if not math.isfinite(float(value))]
    whose = f" (the fault begins in {', '.join(bad)})" if bad else ""
    return (
        f"{what}, in epoch {epoch} at a learning rate of {rate:.4g}{whose}. Lower --lr, limit the gradient by "
        "--clip 5, or scale a distiller's terms by --calibrate gradient; the epochs before this one are stored"
    )
