"""The evaluator screens a tree, trains a student with it and returns an `Evaluation`, also after a failure."""

import logging
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from safetensors.torch import load, save
from torch import nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.base import Base
from kdzero_gp.evaluate.candidate import Candidate, FullSplit, FullTraining, FullTrainings
from kdzero_gp.evaluate.failures import OneProgram, out_of_memory
from kdzero_gp.evaluate.fitness import DEFAULT_FITNESS, FITNESS
from kdzero_gp.evaluate.full import FullTrainer
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evaluate.screen import Screener, Screening
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import Way
from kdzero_gp.loops.single import DeadlineError, DivergedError, Training
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.named import make_loss
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store.record import Evaluation, Status
from kdzero_gp.tasks.task import Task
from kdzero_gp.torch_state import same_torch
from kdzero_gp.untrusted import only_exceptions

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationSettings:
    """The settings of an evaluator.

    Attributes:
        run_seed: all seeds derive from it.
        calibrate: scale every term to the cross-entropy's gradient norm.
        fitness: name of the fitness function in `FITNESS`.
        timeout: seconds that one training may take.
        rungs: into how many the proxy training is divided.
        eta: of how many at a rung one goes on.
        max_work: the most that a distiller may compute, see `Screener`.
        stacking: how students that are trained together are stacked; None takes the first way they allow.
        base: a hand-designed method that every tree is added to.
    """

    run_seed: int = 0
    calibrate: bool = True
    fitness: str = DEFAULT_FITNESS
    timeout: float = 600.0
    rungs: int = 1
    eta: int = 3
    max_work: float = math.inf
    stacking: Way | None = None
    base: str | None = None


class StepCount:
    """Counts the steps of a training, also of one that fails."""

    def __init__(self) -> None:
        self.done = 0

    @contextmanager
    def of(self, training: Training | FusedTraining) -> Iterator[None]:
        """Counts the steps inside the block."""
        before = training.step
        try:
            yield
        finally:
            self.done = training.step - before


class Evaluator:
    """Screens and trains candidates of one task.

    Every candidate starts from the same student, sees the same batches and, on equal taps, has the same aligners and
    masks: common random numbers, so that fitness differs by the distiller alone.
    """

    def __init__(self, task: Task, settings: EvaluationSettings) -> None:
        self.task = task
        self.settings = settings
        self.init_seed = derive_seed(settings.run_seed, "student")
        self.order_seed = derive_seed(settings.run_seed, "batches")
        self.own_seed = derive_seed(settings.run_seed, "distiller")
        self.ladder = Ladder.of(task.proxy.steps(len(task.data.train)), settings.rungs, settings.eta)
        self.recipe = replace(task.proxy, restarts=self.ladder.ends[:-1])
        self.base = Base(settings.base, task.student_taps.stages) if settings.base is not None else None
        self._told = False
        self._one_program = OneProgram()
        self._full = FullTrainer(task, settings.run_seed, settings.stacking)
        self._screener: Screener | None = None

    @cached_property
    def references(self) -> tuple[dict[str, float], ...]:
        """Fitness parts of the student alone at every rung of the proxy training."""
        training = self._training(Candidate(None))
        parts = []
        for end in self.ladder.ends:
            training.advance(end)
            parts.append(self.task.kind.parts(self.task, training.student, "val"))
        return tuple(parts)

    def screen(self, tree: Tree) -> Evaluation | Screening:
        """Screens a tree; returns an `Evaluation` where the screening rejects it or fails."""
        started = time.perf_counter()

        def work() -> Evaluation | Screening:
            if self._screener is None:
                self._screener = Screener(
                    self.task,
                    seed=self.own_seed,
                    init_seed=self.init_seed,
                    calibrate=self.settings.calibrate,
                    max_work=self.settings.max_work,
                )
            screening = self._screener(tree)
            if screening.stage is None:
                return screening
            return Evaluation.rejected(
                screening.stage,
                calibration=screening.calibration,
                fingerprint=screening.fingerprint,
                seed=self.own_seed,
                seconds=time.perf_counter() - started,
            )

        return self._guard(started, work)

    def train(self, candidates: Sequence[Candidate], rung: int) -> tuple[Evaluation, ...]:
        """Trains candidates that passed the screening up to a rung, in one program if there are several."""
        apart = self.base.alone_in_program() if self.base is not None and len(candidates) > 1 else ""
        if apart and not self._told:
            _log.info("students are trained one by one: %s", apart)
            self._told = True
        count = 0 if apart else len(candidates)
        evaluations = self._one_program.attempt(count, lambda: self._together(candidates, rung))
        if evaluations is None:
            evaluations = [self._alone(candidate, rung) for candidate in candidates]
        return tuple(evaluations)

    def _alone(self, candidate: Candidate, rung: int) -> Evaluation:
        started = time.perf_counter()
        steps = StepCount()

        def work() -> Evaluation:
            full = self._with_base(candidate)
            training = self._training(full)
            if candidate.state is not None:
                training.restore(load(candidate.state))
            with steps.of(training):
                training.advance(training.schedule.extra + self.ladder.ends[rung], seconds=self.settings.timeout)
            evaluation = self._evaluate(training.student, rung, steps.done, candidate, time.perf_counter() - started)
            return evaluation if rung == self.ladder.last else replace(evaluation, state=save(training.state()))

        return self._guard(started, work, candidate, steps)

    def _together(self, candidates: Sequence[Candidate], rung: int) -> list[Evaluation]:
        started = time.perf_counter()
        full = [self._with_base(candidate) for candidate in candidates]
        training = FusedTraining(
            self.task,
            [self._distiller(each) for each in full],
            self.recipe,
            student_seed=self.init_seed,
            order_seed=self.order_seed,
            ce_weights=[each.ce_weight for each in full],
            distiller_warmups=[self._warmup(each) for each in full],
            way=self.settings.stacking,
        )
        states = [load(candidate.state) for candidate in candidates if candidate.state is not None]
        if len(states) == len(candidates):
            training.restore(states)
        steps = StepCount()
        with steps.of(training):
            training.advance(self.ladder.ends[rung], seconds=self.settings.timeout * len(candidates))
        seconds = (time.perf_counter() - started) / len(candidates)
        states = [] if rung == self.ladder.last else training.states()
        evaluations = []
        for place, (candidate, student, failure) in enumerate(
            zip(candidates, training.students(), training.errors, strict=True)
        ):

            def work(
                candidate: Candidate = candidate,
                student: nn.Module = student,
                failure: BaseException | None = failure,
            ) -> Evaluation:
                if failure is not None:
                    raise failure
                return self._evaluate(student, rung, steps.done, candidate, seconds)

            evaluation = self._guard(time.perf_counter() - seconds, work, candidate, steps)
            if states and evaluation.status == "ok":
                evaluation = replace(evaluation, state=save(states[place]))
            evaluations.append(evaluation)
        return evaluations

    def _training(self, candidate: Candidate) -> Training:
        return Training(
            self.task,
            self._distiller(candidate),
            replace(self.recipe, ce_weight=candidate.ce_weight),
            student_seed=self.init_seed,
            order_seed=self.order_seed,
            distiller_warmup=self._warmup(candidate),
        )

    def _with_base(self, candidate: Candidate) -> Candidate:
        """What a candidate of a rung is trained as."""
        if candidate.tree is None:
            raise ValueError("the student alone is the reference of a rung and no candidate of it")
        return candidate if self.base is None else self.base.plus(candidate)

    def _distiller(self, candidate: Candidate) -> Distiller | MethodLoss | None:
        stages = self.task.student_taps.stages
        return make_loss(
            candidate.tree, candidate.module, stages, calibration=candidate.calibration, seed=self.own_seed
        )

    def _warmup(self, candidate: Candidate) -> int:
        return round(candidate.warmup * self.recipe.steps(len(self.task.data.train)))

    def _evaluate(self, student: nn.Module, rung: int, steps: int, candidate: Candidate, seconds: float) -> Evaluation:
        """Evaluates a student that arrived at a rung."""
        parts = self.task.kind.parts(self.task, student, "val")
        fitness = FITNESS.require(self.settings.fitness)(parts, self.references[rung])
        if not math.isfinite(fitness):
            raise DivergedError(f"the fitness is {fitness}")
        return Evaluation(
            "ok",
            fitness=fitness,
            parts=parts,
            calibration=candidate.calibration or (),
            fingerprint=candidate.fingerprint,
            steps=steps,
            seed=self.own_seed,
            seconds=seconds,
        )

    def full(self, candidate: Candidate, number: int, split: FullSplit = "test") -> FullTraining:
        """Trains a candidate in full with the fresh seeds of this number, and measures it once; see `FullTrainer`."""
        return self._full.alone(candidate, number, split)

    def full_group(self, candidates: Sequence[Candidate], number: int, split: FullSplit = "test") -> FullTrainings:
        """Trains several candidates in full, in one program where that is possible."""
        return self._full.together(candidates, number, split)

    def _guard(
        self,
        started: float,
        work: Callable[[], Result],
        candidate: Candidate | None = None,
        steps: StepCount | None = None,
    ) -> Result | Evaluation:
        """Runs a candidate's work; its failure becomes a status, never a fitness and never the run's end."""
        status: Status
        try:
            with (
                only_exceptions(lambda: "The candidate's operations"),
                same_torch(lambda: "The candidate's operations"),
            ):
                return work()
        except DivergedError as error:
            status, message = "nan", str(error)
        except DeadlineError as error:
            status, message = "timeout", str(error)
        except (Exception, SystemExit) as error:  # a primitive that calls sys.exit ends itself, not the run
            if out_of_memory(error):
                status, message = "oom", f"{type(error).__name__}: {error}"
            else:
                status, message = "error", traceback.format_exc()
        return Evaluation.failed(
            status,
            message,
            calibration=candidate.calibration if candidate is not None else (),
            fingerprint=candidate.fingerprint if candidate is not None else None,
            steps=steps.done if steps is not None else 0,
            seed=self.own_seed,
            seconds=time.perf_counter() - started,
        )
