"""The fitness function: a tree in, an `Evaluation` out, whatever happens in between."""

import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeVar

import torch

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.fitness import FITNESS, fitness_parts
from kdzero_gp.evaluate.screen import Screener, Screening
from kdzero_gp.evaluate.seeds import derive_seed
from kdzero_gp.evaluate.train import DeadlineError, DivergedError, distil
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation, Status
from kdzero_gp.tasks.task import Task

RUNG = 0
Result = TypeVar("Result")
FullSplit = Literal["val", "test"]


@dataclass(frozen=True)
class EvaluationSettings:
    """How candidates are evaluated.

    Attributes:
        run_seed: all seeds derive from it.
        calibrate: scale every term to the cross-entropy's gradient norm.
        fitness: name of the fitness function in `FITNESS`.
        timeout: seconds that one training may take.
    """

    run_seed: int = 0
    calibrate: bool = True
    fitness: str = "relative"
    timeout: float = 600.0


@dataclass(frozen=True)
class Entrant:
    """What is trained in full.

    Attributes:
        tree: text form, or None for the student alone.
        calibration: one factor per term, or None for the formula as written.
    """

    tree: str | None
    calibration: tuple[float, ...] | None = None
    ce_weight: float = 1.0


@dataclass(frozen=True)
class FullResult:
    """One full training: the parts measured on its split, or None and the traceback of its failure."""

    parts: dict[str, float] | None
    seconds: float
    error: str | None

    @property
    def accuracy(self) -> float | None:
        """Share of the split that the student got right, 0 … 1."""
        return None if self.parts is None else self.parts["accuracy"]


class Evaluator:
    """Screens and trains candidates of one task; every candidate starts from the same student and sees the same
    batches, so that fitness differs by the distiller alone."""

    def __init__(self, task: Task, settings: EvaluationSettings) -> None:
        self.task = task
        self.settings = settings
        self.init_seed = derive_seed(settings.run_seed, "student", RUNG)
        self.order_seed = derive_seed(settings.run_seed, "batches", RUNG)
        self._screener: Screener | None = None

    @cached_property
    def reference(self) -> dict[str, float]:
        """The parts of the student alone after the same proxy training."""
        student = self.task.student(self.init_seed)
        distil(self.task, student, None, self.task.proxy, seed=self.order_seed)
        return fitness_parts(self.task, student)

    def screen(self, tree: Tree) -> Evaluation | Screening:
        """The screening of a tree; an `Evaluation` if that ends it, by rejection or failure."""
        started = time.perf_counter()

        def work() -> Evaluation | Screening:
            if self._screener is None:
                self._screener = Screener(
                    self.task,
                    run_seed=self.settings.run_seed,
                    init_seed=self.init_seed,
                    calibrate=self.settings.calibrate,
                )
            screening = self._screener(tree)
            if screening.stage is None:
                return screening
            return self.rejected(tree, screening, screening.stage, time.perf_counter() - started)

        return self._guard(tree, started, work)

    def train(self, tree: Tree, screening: Screening) -> Evaluation:
        """The proxy training of a tree that passed the screening, and its fitness."""
        started = time.perf_counter()

        def work() -> Evaluation:
            seed = self.seed(tree)
            distiller = Distiller(tree, calibration=screening.calibration, seed=seed)
            student = self.task.student(self.init_seed)
            steps = distil(
                self.task, student, distiller, self.task.proxy, seed=self.order_seed, seconds=self.settings.timeout
            )
            parts = fitness_parts(self.task, student)
            fitness = FITNESS[self.settings.fitness](parts, self.reference)
            if fitness != fitness or fitness in (float("inf"), float("-inf")):
                raise DivergedError(f"the fitness is {fitness}")
            return self._evaluation(tree, "ok", started, screening, fitness=fitness, parts=parts, steps=steps)

        return self._guard(tree, started, work, screening)

    def full(self, entrant: Entrant, number: int, split: FullSplit = "test") -> FullResult:
        """A full training with the fresh seeds of this number, and one look at a split.

        All entrants of one number and split start from the same student and see the same batches, so their results
        are pairs. Seeds for the test split are used for nothing else.
        """
        started = time.perf_counter()
        seeds = {
            use: derive_seed(self.settings.run_seed, "full", split, use, number)
            for use in ("student", "batches", f"distiller {entrant.tree}")
        }
        student_seed, order_seed, own_seed = seeds.values()
        try:
            distiller = None
            if entrant.tree is not None:
                distiller = Distiller(entrant.tree, calibration=entrant.calibration, seed=own_seed)
            student = self.task.student(student_seed)
            recipe = replace(self.task.recipe, ce_weight=entrant.ce_weight)
            distil(self.task, student, distiller, recipe, seed=order_seed)
            parts = fitness_parts(self.task, student, split)
        except (Exception, SystemExit):
            return FullResult(None, time.perf_counter() - started, traceback.format_exc())
        return FullResult(parts, time.perf_counter() - started, None)

    def seed(self, tree: Tree) -> int:
        """The seed of one candidate's own randomness: aligners and masks."""
        return derive_seed(self.settings.run_seed, tree.key, RUNG)

    def rejected(self, tree: Tree, screening: Screening, stage: str, seconds: float) -> Evaluation:
        """The record of a candidate that a screening stage turned down."""
        return Evaluation(
            status="rejected",
            stage=stage,
            fitness=None,
            parts={},
            calibration=screening.calibration,
            fingerprint=screening.fingerprint,
            steps=0,
            seed=self.seed(tree),
            seconds=seconds,
            host=platform.node(),
            error=None,
        )

    def _evaluation(
        self,
        tree: Tree,
        status: Status,
        started: float,
        screening: Screening | None,
        *,
        fitness: float | None = None,
        parts: dict[str, float] | None = None,
        steps: int = 0,
        error: str | None = None,
    ) -> Evaluation:
        return Evaluation(
            status=status,
            stage=None,
            fitness=fitness,
            parts=parts or {},
            calibration=screening.calibration if screening else (),
            fingerprint=screening.fingerprint if screening else None,
            steps=steps,
            seed=self.seed(tree),
            seconds=time.perf_counter() - started,
            host=platform.node(),
            error=error,
        )

    def _guard(
        self, tree: Tree, started: float, work: Callable[[], Result], screening: Screening | None = None
    ) -> Result | Evaluation:
        """Runs a candidate's work; its failure becomes a status, never a fitness and never the run's end."""
        status: Status
        try:
            return work()
        except DivergedError as error:
            status, message = "nan", str(error)
        except DeadlineError as error:
            status, message = "timeout", str(error)
        except (Exception, SystemExit) as error:  # a primitive that calls sys.exit ends itself, not the run
            if _out_of_memory(error):
                status, message = "oom", f"{type(error).__name__}: {error}"
            else:
                status, message = "error", traceback.format_exc()
        return self._evaluation(tree, status, started, screening, error=message)


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, be it under an error that names the operation.

    Torch's allocator for the CPU reports it by an ordinary RuntimeError.
    """
    if error is None:
        return False
    exhausted = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
    return exhausted or _out_of_memory(error.__cause__)
