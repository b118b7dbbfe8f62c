"""Full trainings: fresh seeds, the whole recipe, and one measurement on a split in the end."""

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.candidate import Candidate, FullSplit, FullTraining, FullTrainings
from kdzero_gp.evaluate.failures import OneProgram, out_of_memory
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import Way
from kdzero_gp.loops.single import DeadlineError, Training
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.registry import method
from kdzero_gp.randomness import derive_seed
from kdzero_gp.tasks.task import Task
from kdzero_gp.untrusted import only_exceptions

_log = logging.getLogger(__name__)


class FullTrainer:
    """Trains candidates in full, by the task's recipe.

    All candidates of one number and split start from the same student and see the same batches, so their results are
    pairs. Seeds for the test split are used for nothing else.

    Args:
        stacking: how students that are trained together are stacked; None takes the first way they allow.
    """

    def __init__(self, task: Task, run_seed: int, stacking: Way | None = None) -> None:
        self.task, self.run_seed, self.stacking = task, run_seed, stacking
        self._one_program = OneProgram()
        self._reasons: dict[str, str] = {}  # by method that is a module, why its student is trained alone

    def alone(self, candidate: Candidate, number: int, split: FullSplit) -> FullTraining:
        """Trains one candidate with the fresh seeds of this number.

        Raises:
            MemoryError: there was not enough memory. Any other failure is part of the result.
        """
        started = time.perf_counter()
        try:
            with only_exceptions(lambda: "The candidate's operations"):
                recipe = replace(self.task.recipe, ce_weight=candidate.ce_weight)
                training = Training(
                    self.task,
                    self._distiller(candidate, number, split),
                    recipe,
                    student_seed=self._seed(split, "student", number),
                    order_seed=self._seed(split, "batches", number),
                    distiller_warmup=self._warmup(candidate),
                )
                training.advance(training.steps)
                parts = self.task.kind.full_parts(self.task, training.student, split)
        except (Exception, SystemExit, DeadlineError) as error:
            if out_of_memory(error):  # the executor may free some and try again
                raise MemoryError(f"{type(error).__name__}: {error}") from error
            return FullTraining(None, time.perf_counter() - started, traceback.format_exc())
        return FullTraining(parts, time.perf_counter() - started, None)

    def together(self, candidates: Sequence[Candidate], number: int, split: FullSplit) -> FullTrainings:
        """Trains several candidates with the fresh seeds of this number, in one program where that is possible.

        The results differ from those of one by one by the rounding of floats. A candidate that fails in the program
        is trained alone, which tells whether the fault is its own.
        """
        results: list[FullTraining | None] = [None] * len(candidates)
        fusable = [place for place, candidate in enumerate(candidates) if self._fusable(candidate)]
        together = [candidates[place] for place in fusable]
        measured = self._one_program.attempt(len(together), lambda: self._in_one_program(together, number, split))
        for place, result in zip(fusable, measured or [], strict=False):
            results[place] = result
        pairs = zip(candidates, results, strict=True)
        return FullTrainings(tuple(self.alone(each, number, split) if r is None else r for each, r in pairs))

    def _fusable(self, candidate: Candidate) -> bool:
        """Tells whether a student may be trained in one program with others; logs the reason against it once."""
        if candidate.module is None:
            return True
        if candidate.module not in self._reasons:
            loss = method(candidate.module).loss(self.task.student_taps.stages)
            self._reasons[candidate.module] = reason = loss.fusable(self.task.student_taps)
            if reason:
                _log.info("students of %s are trained one by one: it has %s", candidate.module, reason)
        return not self._reasons[candidate.module]

    def _in_one_program(
        self, candidates: Sequence[Candidate], number: int, split: FullSplit
    ) -> list[FullTraining | None]:
        started = time.perf_counter()
        training = FusedTraining(
            self.task,
            [self._distiller(candidate, number, split) for candidate in candidates],
            self.task.recipe,
            student_seed=self._seed(split, "student", number),
            order_seed=self._seed(split, "batches", number),
            ce_weights=[candidate.ce_weight for candidate in candidates],
            distiller_warmups=[self._warmup(candidate) for candidate in candidates],
            way=self.stacking,
        )
        training.advance(training.steps)
        students = zip(training.students(), training.errors, strict=True)
        full_parts = self.task.kind.full_parts
        measured = [None if error else full_parts(self.task, student, split) for student, error in students]
        seconds = (time.perf_counter() - started) / len(candidates)
        return [None if parts is None else FullTraining(parts, seconds, None) for parts in measured]

    def _warmup(self, candidate: Candidate) -> int:
        return round(candidate.warmup * self.task.recipe.steps(len(self.task.data.train)))

    def _seed(self, split: FullSplit, use: str, number: int) -> int:
        return derive_seed(self.run_seed, "full", split, use, number)

    def _distiller(self, candidate: Candidate, number: int, split: FullSplit) -> Distiller | MethodLoss | None:
        what = str(candidate.tree) if candidate.module is None else f"{candidate.module} {candidate.tree}"
        return make_loss(
            candidate.tree,
            candidate.module,
            self.task.student_taps.stages,
            calibration=candidate.calibration,
            seed=self._seed(split, f"distiller {what}", number),
        )
