"""The fitness function: a tree in, an `Evaluation` out, whatever happens in between."""

import logging
import math
import platform
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
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evaluate.full import Entrant, FullResult, FullResults, FullSplit, FullTrainings
from kdzero_gp.evaluate.memory import out_of_memory
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evaluate.screen import Screener, Screening
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import Way
from kdzero_gp.loops.single import DeadlineError, DivergedError, Training
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store.record import Evaluation, Status
from kdzero_gp.tasks.task import Task

__all__ = [
    "Entrant",
    "Entry",
    "EvaluationSettings",
    "Evaluator",
    "FullResult",
    "FullResults",
    "FullSplit",
    "StepCount",
    "Trained",
]

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationSettings:
    """How candidates are evaluated.

    Attributes:
        run_seed: all seeds derive from it.
        calibrate: scale every term to the cross-entropy's gradient norm.
        fitness: name of the fitness function in `FITNESS`.
        timeout: seconds that one training may take.
        rungs: into how many the proxy training is divided.
        eta: of how many at a rung one goes on.
        max_work: the most that a distiller may compute, see `Screener`.
        stacking: how students that are trained together are stacked; None takes the first way they allow.
    """

    run_seed: int = 0
    calibrate: bool = True
    fitness: str = "tempered"
    timeout: float = 600.0
    rungs: int = 1
    eta: int = 3
    max_work: float = math.inf
    stacking: Way | None = None


@dataclass(frozen=True)
class Entry:
    """A candidate that is to be trained up to a rung.

    Attributes:
        tree: text form.
        state: where its student stopped at the rung before, as safetensors; None begins at the beginning.
    """

    tree: str
    screening: Screening
    state: bytes | None = None


@dataclass(frozen=True)
class Trained:
    """What a training up to a rung gave, and where its student stopped, unless it goes on no further."""

    evaluation: Evaluation
    state: bytes | None


class StepCount:
    """Counts the steps of a training, also of one that fails."""

    def __init__(self) -> None:
        self.done = 0

    @contextmanager
    def of(self, training: Training | FusedTraining) -> Iterator[None]:
        """Counts those done inside the block."""
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
        self._apart = False
        self._full = FullTrainings(task, settings.run_seed, settings.stacking)
        self._screener: Screener | None = None

    @cached_property
    def references(self) -> tuple[dict[str, float], ...]:
        """The parts of the student alone at every rung of the same proxy training."""
        training = self._training(None)
        parts = []
        for end in self.ladder.ends:
            training.advance(end)
            parts.append(self.task.kind.parts(self.task, training.student, "val"))
        return tuple(parts)

    def screen(self, tree: Tree) -> Evaluation | Screening:
        """The screening of a tree; an `Evaluation` if that ends it, by rejection or failure."""
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
            return self.rejected(screening, screening.stage, time.perf_counter() - started)

        return self._guard(started, work)

    def train(self, entries: Sequence[Entry], rung: int) -> tuple[Trained, ...]:
        """Trains candidates that passed the screening up to a rung: together if there are several."""
        if len(entries) > 1 and not self._apart:
            try:
                return self._together(entries, rung)
            except FuseError as error:
                self._apart = True
                _log.warning("students are trained one by one, since they cannot be trained together: %s", error)
            except (Exception, SystemExit) as error:  # whoever is to blame finds its status when trained alone
                _log.info("%d students are trained one by one after %s: %s", len(entries), type(error).__name__, error)
        return tuple(self._alone(entry, rung) for entry in entries)

    def _alone(self, entry: Entry, rung: int) -> Trained:
        started = time.perf_counter()
        steps = StepCount()

        def work() -> Trained:
            training = self._training(self._distiller(entry))
            if entry.state is not None:
                training.restore(load(entry.state))
            with steps.of(training):
                training.advance(self.ladder.ends[rung], seconds=self.settings.timeout)
            evaluation = self._worth(training.student, rung, steps.done, entry.screening, time.perf_counter() - started)
            return Trained(evaluation, None if rung == self.ladder.last else save(training.state()))

        result = self._guard(started, work, entry.screening, steps)
        return result if isinstance(result, Trained) else Trained(result, None)

    def _together(self, entries: Sequence[Entry], rung: int) -> tuple[Trained, ...]:
        started = time.perf_counter()
        distillers = [self._distiller(entry) for entry in entries]
        training = FusedTraining(
            self.task,
            distillers,
            self.recipe,
            student_seed=self.init_seed,
            order_seed=self.order_seed,
            way=self.settings.stacking,
        )
        states = [load(entry.state) for entry in entries if entry.state is not None]
        if len(states) == len(entries):
            training.restore(states)
        steps = StepCount()
        with steps.of(training):
            training.advance(self.ladder.ends[rung], seconds=self.settings.timeout * len(entries))
        seconds = (time.perf_counter() - started) / len(entries)
        states = [] if rung == self.ladder.last else training.states()
        results = []
        for place, (entry, student, failure) in enumerate(
            zip(entries, training.students(), training.errors, strict=True)
        ):

            def work(
                entry: Entry = entry, student: nn.Module = student, failure: BaseException | None = failure
            ) -> Evaluation:
                if failure is not None:
                    raise failure
                return self._worth(student, rung, steps.done, entry.screening, seconds)

            evaluation = self._guard(time.perf_counter() - seconds, work, entry.screening, steps)
            kept = save(states[place]) if states and evaluation.status == "ok" else None
            results.append(Trained(evaluation, kept))
        return tuple(results)

    def _training(self, distiller: Distiller | None) -> Training:
        return Training(self.task, distiller, self.recipe, student_seed=self.init_seed, order_seed=self.order_seed)

    def _distiller(self, entry: Entry) -> Distiller:
        return Distiller(parse(entry.tree), calibration=entry.screening.calibration, seed=self.own_seed)

    def _worth(self, student: nn.Module, rung: int, steps: int, screening: Screening, seconds: float) -> Evaluation:
        """The evaluation of a student that arrived at a rung."""
        parts = self.task.kind.parts(self.task, student, "val")
        fitness = FITNESS[self.settings.fitness](parts, self.references[rung])
        if not math.isfinite(fitness):
            raise DivergedError(f"the fitness is {fitness}")
        return self._evaluation("ok", seconds, screening, fitness=fitness, parts=parts, steps=steps)

    def full(self, entrant: Entrant, number: int, split: FullSplit = "test") -> FullResult:
        """A full training with the fresh seeds of this number, and one look at a split; see `FullTrainings`."""
        return self._full.alone(entrant, number, split)

    def full_group(self, entrants: Sequence[Entrant], number: int, split: FullSplit = "test") -> FullResults:
        """The same for several entrants, trained in one program where that is possible."""
        return self._full.together(entrants, number, split)

    def rejected(self, screening: Screening, stage: str, seconds: float) -> Evaluation:
        """The record of a candidate that a screening stage turned down."""
        return Evaluation(
            status="rejected",
            stage=stage,
            fitness=None,
            parts={},
            calibration=screening.calibration,
            fingerprint=screening.fingerprint,
            steps=0,
            seed=self.own_seed,
            seconds=seconds,
            host=platform.node(),
            error=None,
        )

    def _evaluation(
        self,
        status: Status,
        seconds: float,
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
            seed=self.own_seed,
            seconds=seconds,
            host=platform.node(),
            error=error,
        )

    def _guard(
        self,
        started: float,
        work: Callable[[], Result],
        screening: Screening | None = None,
        steps: "StepCount | None" = None,
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
            if out_of_memory(error):
                status, message = "oom", f"{type(error).__name__}: {error}"
            else:
                status, message = "error", traceback.format_exc()
        spent = steps.done if steps is not None else 0
        return self._evaluation(status, time.perf_counter() - started, screening, steps=spent, error=message)
