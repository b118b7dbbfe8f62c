"""K students of one architecture, each with its own distiller, trained in one program."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.fused.graph import StepGraph, graph_refusal
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.step import FusedStep
from kdzero_gp.loops.fused.update import FusedUpdate
from kdzero_gp.loops.fused.ways import Way, make_stack
from kdzero_gp.loops.single import DeadlineError, DivergedError, Training
from kdzero_gp.methods.loss import MethodLoss, as_method
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

_log = logging.getLogger(__name__)


class FusedTraining:
    """Trains one student for each distiller as `Training` would, up to the rounding of floats.

    Batches and the teacher's outputs are read once for all. A student whose loss is not finite at the end of an epoch,
    or whose distiller raises, is taken out; the others go on as if it had never been there.

    Args:
        distillers: or methods that are modules, one for each student; None trains a student alone.
        ce_weights: of each student's own loss; None takes the recipe's for all.
        distiller_warmups: steps during which each distiller's weight rises linearly; None means none. Not in a graph.
        way: how the students are stacked, by default the first way that the student allows.
        cuda_graph: capture the step as one CUDA graph, where the distillers allow it.

    Attributes:
        step: steps done.
        errors: for each student what ended its training, or None.

    Raises:
        FuseError: the student cannot be stacked, the task's loss is no mean over samples, the optimiser is another than
            SGD, or a method needs a training of its own; train one by one.
    """

    def __init__(
        self,
        task: Task,
        distillers: Sequence[Distiller | MethodLoss | None],
        recipe: Recipe,
        *,
        student_seed: int,
        order_seed: int,
        ce_weights: Sequence[float] | None = None,
        distiller_warmups: Sequence[int] | None = None,
        way: Way | None = None,
        cuda_graph: bool = False,
    ) -> None:
        if recipe.optimiser != "sgd":
            raise FuseError(f"the recipe's optimiser is {recipe.optimiser}, and students in one program take SGD alone")
        self.task, self.distillers, self.recipe = task, tuple(distillers), recipe
        self.methods = tuple(as_method(distiller) for distiller in distillers)
        for method in self.methods:
            if method is not None and (reason := method.fusable(task.student_taps)):
                raise FuseError(f"a method has {reason}, so its student has a training of its own")
        self._twin = Training(task, None, recipe, student_seed=student_seed, order_seed=order_seed)
        teacher_taps = dict.fromkeys(tap for method in self.methods if method for tap in method.teacher_taps)
        student_taps = dict.fromkeys(tap for method in self.methods if method for tap in method.student_taps)
        self.taps = tuple(dict.fromkeys((*student_taps, *task.kind.loss_taps)))
        self.feed = task.feed(teacher_taps)
        self.stack = make_stack(task, self._twin.student, len(self.distillers), self.taps, way)
        self._prepare()
        own = [method.learned() if method else [] for method in self.methods]
        self._update = FusedUpdate(self.stack, own, recipe)
        self._random = [{k: v for k, v in self._twin.state().items() if k.startswith("random.")}] * self.stack.count
        self._ce_weight = (
            recipe.ce_weight if ce_weights is None else torch.tensor(ce_weights, dtype=torch.float64).to(task.device)
        )
        self._warmups = tuple(distiller_warmups or ())
        self._cuda_graph = cuda_graph and not any(self._warmups)
        self._begin(0)

    def _begin(self, step: int) -> None:
        """Starts all students at this step of the schedule."""
        self.step = step
        self.errors: list[BaseException | None] = [None] * self.stack.count
        self._step = FusedStep(
            self.stack, self.methods, self._update, self._ce_weight, self.task.kind, self.task.autocast
        )
        self._graph: StepGraph | None = None
        if self._cuda_graph:
            refusal = graph_refusal(self.task.device, self.distillers)
            if refusal:
                _log.info("the training step runs without a CUDA graph: %s", refusal)
            else:
                self._graph = StepGraph(self._step)

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return self._twin.steps

    @property
    def alive(self) -> list[bool]:
        """The students that are still trained."""
        return [error is None for error in self.errors]

    def _prepare(self) -> None:
        """Builds the aligners; running statistics stay as they are."""
        if not any(self.distillers):
            return
        images, _, teacher = self.feed(self._twin.order[0], 0)
        self._twin.student.eval()
        with torch.no_grad(), self.task.reader(self._twin.student, self.taps) as reader:
            student = reader(images)
        world = self._twin.world()
        for method in self.methods:
            if method is not None:
                method.prepare(student, teacher, world)

    def advance(self, until: int, *, seconds: float | None = None) -> None:
        """Trains all students that are alive up to step `until` of the schedule.

        Args:
            seconds: time it may take for all of them together.

        Raises:
            DeadlineError: it took longer than `seconds`; whose fault that is, only serial training tells.
            FuseError: a distiller drew random numbers that belong to all; only serial training orders them.
        """
        deadline = None if seconds is None else time.perf_counter() + seconds
        until = min(until, self.steps)
        with torch.random.fork_rng(devices=[self.task.device] if self.task.device.type == "cuda" else []):
            torch.set_rng_state(self._random[0]["random.cpu"])
            self.feed.follow((self._twin.order[step], step // self._twin.per_epoch) for step in range(self.step, until))
            while self.step < until and any(self.alive):
                self._one_step()
                if self.step % self._twin.per_epoch == 0 or self.step == until:
                    self._drop_diverged()
                if deadline is not None and time.perf_counter() > deadline:
                    raise DeadlineError(f"{seconds:g} s were over after {self.step} of {self.steps} steps")
            if not torch.equal(torch.get_rng_state(), self._random[0]["random.cpu"]):
                raise FuseError(
                    "a distiller draws from torch's global random numbers, which students in one program would share; "
                    "declare its operation with random=True and draw from the generator it is given"
                )

    def _one_step(self) -> None:
        images, targets, teacher = self.feed(self._twin.order[self.step], self.step // self._twin.per_epoch)
        calls = [distiller.calls if distiller else 0 for distiller in self.distillers]
        if self._warmups:
            self._step.rises = [min(1.0, (self.step + 1) / max(1, steps)) for steps in self._warmups]
        self._step.now = self._twin.moment(self.step)
        (self._graph or self._step)(images, targets, teacher, self._twin.rates[self.step])
        self.step += 1
        for number, distiller in enumerate(self.distillers):
            if distiller is not None and self.errors[number] is None:
                distiller.calls = calls[number] + 1  # the replay of a graph does not count
        for number, error in self._step.raised.items():
            self._drop(number, error)

    def _drop_diverged(self) -> None:
        for number, loss in enumerate(self._step.losses.tolist()):
            if self.errors[number] is None and not math.isfinite(loss):
                self._drop(number, DivergedError(f"the loss is {loss} after {self.step} of {self.steps} steps"))

    def _drop(self, number: int, error: BaseException) -> None:
        self.errors[number] = error
        self._step.drop(number)
        if self._graph is not None:
            self._graph.forget()

    def states(self) -> list[dict[str, Tensor]]:
        """Copies the state of each student, in the form of `Training.state`; those of dropped students mean nothing."""
        states = []
        for number, distiller in enumerate(self.distillers):
            state = {f"student.{name}": value for name, value in self.stack.read(number).items()}
            state |= self._random[number]
            if distiller is not None:
                state |= {f"distiller.{name}": value for name, value in distiller.state_dict().items()}
            for place, momentum in enumerate(self._update.momentum(number)):
                if momentum is not None:
                    state[f"momentum.{place}"] = momentum
            calls = 0 if distiller is None else distiller.calls
            state |= {"calls": torch.tensor(calls), "step": torch.tensor(self.step)}
            states.append({name: value.detach().cpu().clone().contiguous() for name, value in state.items()})
        return states

    def restore(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Sets every student to a state of `Training` or `FusedTraining`; all are alive afterwards.

        Raises:
            ConfigError: not one state for each student, or not all of the same step.
        """
        steps = {int(state["step"]) for state in states}
        if len(states) != self.stack.count or len(steps) != 1:
            raise ConfigError(
                f"{len(states)} states of steps {sorted(steps)} are to be restored, but there are {self.stack.count} "
                "students, which must be at one step; train states of other steps apart"
            )
        momenta: list[list[Tensor | None]] = []
        for number, (state, distiller) in enumerate(zip(states, self.distillers, strict=True)):
            self.stack.write(number, _below("student.", state))
            if distiller is not None:
                distiller.load_state_dict(_below("distiller.", state))
                distiller.calls = int(state["calls"])
            places = len(self.stack.leaves) + len(self._update.own[number])
            momenta.append([state.get(f"momentum.{place}") for place in range(places)])
        self._update.set_momentum(momenta)
        self._random = [{k: v.clone() for k, v in state.items() if k.startswith("random.")} for state in states]
        self._begin(steps.pop())

    def students(self) -> list[nn.Module]:
        """Makes a module for each student, with its present weights and buffers."""
        students = []
        for number in range(self.stack.count):
            student = copy.deepcopy(self._twin.student)
            student.load_state_dict(self.stack.read(number))
            students.append(student)
        return students


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


__all__ = ["FuseError", "FusedTraining"]
