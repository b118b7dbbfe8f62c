"""One student's training, which can stop at any step and go on later as if it had not."""

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.randomness import own_randomness, random_state, set_random_state
from kdzero_gp.taps.read import TapReader
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

KEPT = {"momentum_buffer": "momentum", "exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "step": "updates"}
"""What SGD and AdamW keep of a parameter, by torch's name, and its name in a state."""


class DivergedError(Exception):
    """The loss became NaN or infinite."""


class DeadlineError(Exception):
    """The training took longer than it was given."""


@lru_cache(maxsize=64)
def batches(images: int, recipe: Recipe, seed: int) -> tuple[Tensor, ...]:
    """The index batches of a whole training, (batch_size,) int64 each: equal for all candidates of a run."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = recipe.steps_per_epoch(images)
    result: list[Tensor] = []
    for _ in range(recipe.epochs):
        result += torch.randperm(images, generator=generator).split(recipe.batch_size)[:per_epoch]
    return tuple(result)


class Training:
    """Trains a student on the training split: its task's loss plus a distiller, under one learning-rate schedule.

    Args:
        distiller: None trains the student alone. Its aligners and learned operations are trained along.
        student_seed: of the student's initial weights.
        order_seed: of the order of the images, and of the student's own randomness (dropout).
        distiller_warmup: steps during which the distiller's weight rises linearly to its own, as DKD's does.

    Attributes:
        student: with its current weights; its mode is set by every `advance`.
        step: steps done.
        steps: of the whole schedule.
        check_every: steps after which the loss is looked at, which makes the host wait for a GPU.
    """

    def __init__(
        self,
        task: Task,
        distiller: Distiller | None,
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
        distiller: Distiller | None,
        recipe: Recipe,
        *,
        order_seed: int,
        distiller_warmup: int = 0,
    ) -> Self:
        """The training of a student that exists already, in place."""
        training = cls.__new__(cls)
        training._begin(task, student, distiller, recipe, order_seed, distiller_warmup)
        return training

    def _begin(
        self,
        task: Task,
        student: nn.Module,
        distiller: Distiller | None,
        recipe: Recipe,
        order_seed: int,
        distiller_warmup: int,
    ) -> None:
        self.task, self.student, self.distiller, self.recipe = task, student, distiller, recipe
        self.distiller_warmup = distiller_warmup
        self.feed = task.feed(distiller.taps if distiller else ())
        self.order = batches(len(self.feed), recipe, order_seed)
        self.rates = recipe.learning_rates(len(self.order))
        self.per_epoch = recipe.steps_per_epoch(len(self.feed))
        self.check_every = self.per_epoch
        self.step = 0
        self.taps = tuple(dict.fromkeys((*(distiller.taps if distiller else ()), *task.kind.loss_taps)))
        with own_randomness(task.device):
            torch.manual_seed(order_seed)
            self._random = random_state(task.device)
        if distiller is not None:
            self._prepare(distiller)
        self.parameters: list[nn.Parameter] = [*student.parameters(), *(distiller.parameters() if distiller else ())]
        self.optimiser = recipe.make_optimiser(self.parameters)

    def _prepare(self, distiller: Distiller) -> None:
        """Builds the aligners. Only shapes are wanted: the running statistics of batch norms stay as they are."""
        images, _, teacher = self.feed(self.order[0], 0)
        self.student.eval()
        with torch.no_grad(), self.task.reader(self.student, self.taps) as reader:
            distiller.prepare(reader(images), teacher)

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return len(self.order)

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
        self.student.train()
        with own_randomness(self.task.device), self.task.reader(self.student, self.taps) as reader:
            set_random_state(self._random, self.task.device)
            self.feed.follow(self._coming(until))
            while self.step < until:
                epoch = self.step // self.per_epoch
                self.optimiser.zero_grad(set_to_none=True)
                loss = self._backward(reader, self.order[self.step], epoch)
                nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
                self.optimiser.param_groups[0]["lr"] = self.rates[self.step]
                self.optimiser.step()
                self.step += 1
                if (self.step % self.check_every == 0 or self.step == until) and not bool(torch.isfinite(loss)):
                    raise DivergedError(f"the loss is {loss.item()} after {self.step} of {self.steps} steps")
                if deadline is not None and time.perf_counter() > deadline:
                    raise DeadlineError(f"{seconds:g} s were over after {self.step} of {self.steps} steps")
            self._random = random_state(self.task.device)

    def _coming(self, until: int) -> Iterator[tuple[Tensor, int]]:
        """The batches up to step `until` with their epochs, in the order in which they will be asked for."""
        return ((self.order[step], step // self.per_epoch) for step in range(self.step, until))

    def _backward(self, reader: TapReader, batch: Tensor, epoch: int) -> Tensor:
        """One batch's loss, its gradients added to those of the parameters."""
        images, labels, teacher = self.feed(batch, epoch)
        with self.task.autocast():
            knowledge = reader(images)
        loss = self._loss(knowledge, teacher, labels)
        loss.backward()
        return loss

    def _loss(self, student: Knowledge, teacher: Knowledge, labels: Tensor) -> Tensor:
        """The loss of one batch at this step: the task's and the distiller's, weighted."""
        loss = self.recipe.ce_weight * self.task.kind.loss(student, labels)
        if self.distiller is None:
            return loss
        distilled: Tensor = self.distiller(student, teacher, labels)
        return loss + (distilled if self.step >= self.distiller_warmup else self.rise * distilled)

    @property
    def rise(self) -> float:
        """By what the distiller is weighted at this step beside its own weight: 1 after its warm-up."""
        return min(1.0, (self.step + 1) / max(1, self.distiller_warmup))

    def state(self) -> dict[str, Tensor]:
        """Everything that the steps to come depend on, copied to the CPU.

        Keys: `student.*`, `distiller.*`, the optimiser's `momentum.<place among the parameters>` and its like, `calls`,
        `step`, `random.*`.
        """
        state = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        state |= self._random
        calls = 0
        if self.distiller is not None:
            calls = self.distiller.calls
            state |= {f"distiller.{name}": value for name, value in self.distiller.state_dict().items()}
        for place, parameter in enumerate(self.parameters):
            kept = self.optimiser.state[parameter]
            state |= {f"{short}.{place}": kept[name] for name, short in KEPT.items() if kept.get(name) is not None}
        state |= {"calls": torch.tensor(calls), "step": torch.tensor(self.step)}
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back, or on, to a state that a training of the same task, distiller and recipe was in."""
        self.student.load_state_dict(_below("student.", state))
        if self.distiller is not None:
            self.distiller.load_state_dict(_below("distiller.", state))
            self.distiller.calls = int(state["calls"])
        for place, parameter in enumerate(self.parameters):
            for name, short in KEPT.items():
                value = state.get(f"{short}.{place}")
                if value is not None:
                    self.optimiser.state[parameter][name] = value.to(parameter.device, copy=True)
        self._random = {name: value.clone() for name, value in state.items() if name.startswith("random.")}
        self.step = int(state["step"])


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
