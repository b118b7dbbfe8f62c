"""Full trainings: a distiller, fresh seeds, the whole recipe, and one look at a split in the end."""

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.memory import out_of_memory
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import Way
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.registry import method
from kdzero_gp.randomness import derive_seed
from kdzero_gp.tasks.task import Task

FullSplit = Literal["val", "test"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entrant:
    """What is trained in full.

    Attributes:
        tree: text form, or None for the student alone.
        calibration: one factor per term, or None for the formula as written.
        warmup: share of the steps over which the distiller's weight rises linearly from 0.
        module: a method that is a module, as `kdzero_gp.methods.registry.method` reads it; a tree is added to it.
    """

    tree: str | None
    calibration: tuple[float, ...] | None = None
    ce_weight: float = 1.0
    warmup: float = 0.0
    module: str | None = None


@dataclass(frozen=True)
class FullResult:
    """One full training: the parts measured on its split, or None and the traceback of its failure."""

    parts: dict[str, float] | None
    seconds: float
    error: str | None

    def part(self, name: str) -> float | None:
        """One of the parts, None where the training failed or there is none of this name."""
        return None if self.parts is None else self.parts.get(name)


@dataclass(frozen=True)
class FullResults:
    """The full trainings of a group, in its order."""

    each: tuple[FullResult, ...]


class FullTrainings:
    """Trains in full what is entered, by the task's recipe.

    All entrants of one number and split start from the same student and see the same batches, so their results are
    pairs. Seeds for the test split are used for nothing else.

    Args:
        stacking: how students that are trained together are stacked; None takes the first way they allow.
    """

    def __init__(self, task: Task, run_seed: int, stacking: Way | None = None) -> None:
        self.task, self.run_seed, self.stacking = task, run_seed, stacking
        self._apart = False
        self._reasons: dict[str, str] = {}  # by method that is a module, why its student is trained alone

    def alone(self, entrant: Entrant, number: int, split: FullSplit) -> FullResult:
        """One training with the fresh seeds of this number.

        Raises:
            MemoryError: there was not enough memory. Any other failure is part of the result.
        """
        started = time.perf_counter()
        try:
            recipe = replace(self.task.recipe, ce_weight=entrant.ce_weight)
            training = Training(
                self.task,
                self._distiller(entrant, number, split),
                recipe,
                student_seed=self._seed(split, "student", number),
                order_seed=self._seed(split, "batches", number),
                distiller_warmup=self._warmup(entrant),
            )
            training.advance(training.steps)
            parts = self.task.kind.full_parts(self.task, training.student, split)
        except (Exception, SystemExit) as error:
            if out_of_memory(error):  # whoever runs it may free some and try again
                raise MemoryError(f"{type(error).__name__}: {error}") from error
            return FullResult(None, time.perf_counter() - started, traceback.format_exc())
        return FullResult(parts, time.perf_counter() - started, None)

    def together(self, entrants: Sequence[Entrant], number: int, split: FullSplit) -> FullResults:
        """The same for several entrants, trained in one program where that is possible.

        It differs from one by one by the rounding of floats. What fails together is trained alone, which tells whose
        fault it was.
        """
        results: list[FullResult | None] = [None] * len(entrants)
        fusable = [place for place, entrant in enumerate(entrants) if self._fusable(entrant)]
        if len(fusable) > 1 and not self._apart:
            try:
                together = self._in_one_program([entrants[place] for place in fusable], number, split)
                for place, result in zip(fusable, together, strict=True):
                    results[place] = result
            except FuseError as error:
                self._apart = True
                _log.warning("students are trained one by one, since they cannot be trained together: %s", error)
            except (Exception, SystemExit) as error:
                _log.info("%d students are trained one by one after %s: %s", len(entrants), type(error).__name__, error)
        pairs = zip(entrants, results, strict=True)
        return FullResults(tuple(self.alone(entrant, number, split) if r is None else r for entrant, r in pairs))

    def _fusable(self, entrant: Entrant) -> bool:
        """Whether a student may be trained in one program with others; the log says once for each method why not."""
        if entrant.module is None:
            return True
        if entrant.module not in self._reasons:
            loss = method(entrant.module).loss(self.task.student_taps.stages)
            self._reasons[entrant.module] = reason = loss.fusable(self.task.student_taps)
            if reason:
                _log.info("students of %s are trained one by one: it has %s", entrant.module, reason)
        return not self._reasons[entrant.module]

    def _in_one_program(self, entrants: Sequence[Entrant], number: int, split: FullSplit) -> list[FullResult | None]:
        started = time.perf_counter()
        training = FusedTraining(
            self.task,
            [self._distiller(entrant, number, split) for entrant in entrants],
            self.task.recipe,
            student_seed=self._seed(split, "student", number),
            order_seed=self._seed(split, "batches", number),
            ce_weights=[entrant.ce_weight for entrant in entrants],
            distiller_warmups=[self._warmup(entrant) for entrant in entrants],
            way=self.stacking,
        )
        training.advance(training.steps)
        students = zip(training.students(), training.errors, strict=True)
        full_parts = self.task.kind.full_parts
        measured = [None if error else full_parts(self.task, student, split) for student, error in students]
        seconds = (time.perf_counter() - started) / len(entrants)
        return [None if parts is None else FullResult(parts, seconds, None) for parts in measured]

    def _warmup(self, entrant: Entrant) -> int:
        return round(entrant.warmup * self.task.recipe.steps(len(self.task.data.train)))

    def _seed(self, split: FullSplit, use: str, number: int) -> int:
        return derive_seed(self.run_seed, "full", split, use, number)

    def _distiller(self, entrant: Entrant, number: int, split: FullSplit) -> Distiller | MethodLoss | None:
        what = str(entrant.tree) if entrant.module is None else f"{entrant.module} {entrant.tree}"
        return make_loss(
            entrant.tree,
            entrant.module,
            self.task.student_taps.stages,
            calibration=entrant.calibration,
            seed=self._seed(split, f"distiller {what}", number),
        )
