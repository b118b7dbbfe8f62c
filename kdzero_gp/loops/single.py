"""The training of one student, which can be stopped and resumed at any step."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import Stop
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.method_state import KEPT, CriticStep, hold_still, optimiser_state, parameters_of_phase
from kdzero_gp.loops.schedule import Segment, make_schedule
from kdzero_gp.methods.loss import MethodLoss, as_method
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import Now, World
from kdzero_gp.randomness import own_randomness, random_state, set_random_state
from kdzero_gp.taps.read import TapReader
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task


class DivergedError(Exception):
    """A loss that became NaN or infinite."""


class DeadlineError(Stop):
    """A training that exceeded its time limit."""


class Training:
    """Trains a student on the training split: its task's loss plus a distiller, under one learning-rate schedule.

    Args:
        distiller: or a method that is a module; None trains the student alone. What it learns is trained along.
        student_seed: of the student's initial weights.
        order_seed: of the order of the images, and of the student's own randomness (dropout).
        distiller_warmup: steps during which the distiller's weight rises linearly to its own, as DKD's does.

    Attributes:
        student: with its current weights; its mode is set by every `advance`.
        step: steps done.
        steps: of the whole schedule, extra phases of the method among them.
        check_every: steps after which the loss is looked at, which makes the host wait for a GPU.
    """

    def __init__(
        self,
        task: Task,
        distiller: Distiller | MethodLoss | None,
        recipe: Recipe,
        *,
        student_seed: int,
        order_seed: int,
        distiller_warmup: int = 0,
    ) -> None:
        self._begin(task, task.student(student_seed), distiller, recipe, order_seed, distiller_warmup)

    @classmethod
    def of(
        cls,
        task: Task,
        student: nn.Module,
        distiller: Distiller | MethodLoss | None,
        recipe: Recipe,
        *,
        order_seed: int,
        distiller_warmup: int = 0,
    ) -> Self:
        """Makes the training of a student that exists already, in place."""
        training = cls.__new__(cls)
        training._begin(task, student, distiller, recipe, order_seed, distiller_warmup)
        return training

    def _begin(
        self,
        task: Task,
        student: nn.Module,
        distiller: Distiller | MethodLoss | None,
        recipe: Recipe,
        order_seed: int,
        distiller_warmup: int,
    ) -> None:
        self.task, self.student, self.distiller, self.recipe = task, student, distiller, recipe
        self.method = method = as_method(distiller)
        self.distiller_warmup = distiller_warmup
        self.feed = task.feed(self._taught_taps())
        self.schedule = make_schedule(len(self.feed), recipe, method.phases if method else (Phase(),), order_seed)
        self.order, self.rates = self.schedule.order, self.schedule.rates
        self.per_epoch = recipe.steps_per_epoch(len(self.feed))
        self.check_every = self.per_epoch
        self.step = 0
        self.taps = tuple(dict.fromkeys((*(method.student_taps if method else ()), *task.kind.loss_taps)))
        self._now = Now()
        with own_randomness(task.device):
            torch.manual_seed(order_seed)
            self._random = random_state(task.device)
        self._bare = student  # without what a method puts around it
        if method is not None:
            self._prepare(method)
            self.student = method.wrap(student)
        self._critic = None if method is None or method.critic is None else CriticStep(method)
        self._seen: tuple[Knowledge, Knowledge, Tensor] | None = None
        learned = method.learned() if method is not None else []
        self._everything = [p for p in (*self.student.parameters(), *learned) if p.requires_grad]
        self._enter(self.schedule.segment(0))

    def _taught_taps(self) -> tuple[str, ...]:
        """Names the teacher's taps that are read with every batch; a live teacher gives its own."""
        return () if self.method is None or "live teacher" in self.method.needs else self.method.teacher_taps

    def _prepare(self, method: MethodLoss) -> None:
        """Builds the method's learned parts; the running statistics of batch norms stay as they are."""
        images, _, teacher = self.feed(self.order[0], 0)
        if "live teacher" in method.needs:
            teacher = self.task.live_teacher(method.teacher_taps)(images).detach()
        self.student.eval()
        with torch.no_grad(), self.task.reader(self.student, self.taps) as reader:
            method.prepare(reader(images), teacher, self.world())

    def world(self) -> World:
        """The facts of this training that a method may read."""
        return World.of(self.task, self._bare, self.recipe)

    def _enter(self, segment: Segment) -> None:
        """Begins a phase: its parameters and optimiser, unless it goes on with those of the one before."""
        self.segment = segment
        phase = segment.phase
        task = self.task if phase.anchor is None else self.task.at_anchor(phase.anchor)
        self.feed = task.feed(self._taught_taps() if phase.distils else ())
        if not phase.continues:
            network = partial(self.task.student_network, self._bare)
            self.parameters = parameters_of_phase(phase, self.student, self.method, network)
            self.optimiser = self.recipe.make_optimiser(self.parameters)
        if len(self.schedule.segments) > 1:
            hold_still(self._everything, self.parameters)
        self.student.train(phase.student == "train")

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return len(self.order)

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        return self.steps // self.per_epoch

    @property
    def settles(self) -> int:
        """The step from which losses are comparable: the last phase's first, past a warm-up."""
        return max(self.segment.first, self.schedule.extra + self.distiller_warmup)

    def advance(self, until: int, *, seconds: float | None = None) -> None:
        """Trains up to step `until` of the schedule.

        Args:
            seconds: time it may take.

        Raises:
            DivergedError: the loss is NaN or infinite at the end of an epoch (or whenever `check_every` says), or of
                the last step asked for.
            DeadlineError: it took longer than `seconds`.
        """
        deadline = None if seconds is None else time.perf_counter() + seconds
        until = min(until, self.steps)
        self.student.train(self.segment.phase.student == "train")
        with own_randomness(self.task.device), self.task.reader(self.student, self.taps) as reader:
            set_random_state(self._random, self.task.device)
            self.feed.follow(self._coming(until))
            while self.step < until:
                self._now = self._now if self.method is None else self.moment(self.step)
                self.optimiser.zero_grad(set_to_none=True)
                loss = self._backward(reader, self.order[self.step], self.schedule.epochs[self.step])
                nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
                self.optimiser.param_groups[0]["lr"] = self.rates[self.step]
                self.optimiser.step()
                self._critic_step()
                self.step += 1
                if self.step == self.segment.end < self.steps:
                    self._enter(self.schedule.segment(self.step))
                if (self.step % self.check_every == 0 or self.step == until) and not bool(torch.isfinite(loss)):
                    raise DivergedError(f"the loss is {loss.item()} after {self.step} of {self.steps} steps")
                if deadline is not None and time.perf_counter() > deadline:
                    raise DeadlineError(f"{seconds:g} s were over after {self.step} of {self.steps} steps")
            self._random = random_state(self.task.device)

    def _coming(self, until: int) -> Iterator[tuple[Tensor, int]]:
        """Lists the batches up to step `until` with their epochs, in order of use."""
        return ((self.order[step], self.schedule.epochs[step]) for step in range(self.step, until))

    def moment(self, step: int) -> Now:
        """Gives the facts of a step that a method may read before its batch."""
        segment, extra = self.schedule.segment(step), self.schedule.extra
        return Now(
            phase=segment.phase.name,
            step=step,
            share=max(0, step - extra) / (self.steps - extra),
            phase_share=(step - segment.first) / (segment.end - segment.first),
            index=self.order[step].to(self.task.device, non_blocking=True),
            seed=0 if self.method is None else self.method.seed,
        )

    def _backward(self, reader: TapReader, batch: Tensor, epoch: int) -> Tensor:
        """Computes one batch's loss and adds its gradients."""
        images, labels, teacher = self._fed(batch, epoch)
        loss = self._loss(self._known(reader, images), teacher, labels)
        loss.backward()
        return loss

    def _fed(self, batch: Tensor, epoch: int) -> tuple[Tensor, Tensor, Knowledge]:
        """Reads images, labels and the teacher's taps, the images with gradient where the teacher is live."""
        images, labels, teacher = self.feed(batch, epoch)
        needs = self.method.needs if self.method is not None else ()
        if self.method is not None and "live teacher" in needs:
            live = self.task.live_teacher(self.method.teacher_taps)
            images = images.detach().requires_grad_()
            teacher = live(images)
            self._now = replace(self._now, images=images, teacher=live)
        elif "images" in needs:
            self._now = replace(self._now, images=images)
        return images, labels, teacher

    def _known(self, reader: TapReader, images: Tensor) -> Knowledge:
        """Reads the student's taps of images; none where the student is idle."""
        if self.segment.phase.student == "idle":
            return Knowledge()
        with self.task.autocast():
            return reader(images)

    def _loss(self, student: Knowledge, teacher: Knowledge, labels: Tensor) -> Tensor:
        """Computes the loss of one batch at this step: the task's and the method's, weighted."""
        phase, parts = self.segment.phase, []
        ce_weight = self.recipe.ce_weight if phase.ce_weight is None else phase.ce_weight
        if phase.student != "idle" and not (phase.ce_weight == 0 and phase.distils):
            parts.append(ce_weight * self.task.kind.loss(student, labels))
        if self.method is not None and phase.distils:
            distilled: Tensor = self.method(student, teacher, labels, self._now)
            parts.append(distilled if self.rise == 1 else self.rise * distilled)
            if self._critic is not None:
                self._seen = student.detach(), teacher.detach(), labels
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _critic_step(self) -> None:
        if self._critic is not None and self._seen is not None:
            self._critic.gradients(*self._seen, self._now)
            self._critic.optimiser.step()
            self._seen = None

    @property
    def rise(self) -> float:
        """Computes the warm-up factor of the method at this step, 1 after its warm-up."""
        step = self.step - self.schedule.extra
        return min(1.0, (step + 1) / max(1, self.distiller_warmup)) if step >= 0 else 1.0

    def state(self) -> dict[str, Tensor]:
        """Copies all that the further steps depend on to the CPU.

        Keys: `student.*`, `distiller.*`, the optimiser's `momentum.<place among the parameters>` and its like, those of
        a critic after `critic.`, `calls`, `step`, `random.*`.
        """
        state = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        state |= self._random
        calls = 0
        if self.distiller is not None:
            calls = self.distiller.calls
            state |= {f"distiller.{name}": value for name, value in self.distiller.state_dict().items()}
        state |= optimiser_state(self.optimiser, self.parameters)
        if self._critic is not None:
            state |= self._critic.state()
        state |= {"calls": torch.tensor(calls), "step": torch.tensor(self.step)}
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state of a training of the same task, distiller and recipe."""
        self.student.load_state_dict(_below("student.", state))
        if self.distiller is not None:
            self.distiller.load_state_dict(_below("distiller.", state))
            self.distiller.calls = int(state["calls"])
        self.step = int(state["step"])
        self._enter_again()
        if self._critic is not None:
            self._critic.restore(state)
        for place, parameter in enumerate(self.parameters):
            for name, short in KEPT.items():
                value = state.get(f"{short}.{place}")
                if value is not None:
                    self.optimiser.state[parameter][name] = value.to(parameter.device, copy=True)
        self._random = {name: value.clone() for name, value in state.items() if name.startswith("random.")}

    def _enter_again(self) -> None:
        """Re-enters the segment of the current step, with the optimiser of its phase."""
        segments = self.schedule.segments
        if len(segments) == 1:
            return
        here = self.schedule.segment(self.step)
        begun = [s for s in segments[: segments.index(here) + 1] if not s.phase.continues]
        self._enter(begun[-1])
        if here is not begun[-1]:
            self._enter(here)


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
