"""A training with the loss of the whole batch, in several passes and processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.batch_norm import shared_statistics
from kdzero_gp.loops.ranks import Ranks
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.randomness import derive_seed, own_randomness, random_state
from kdzero_gp.taps.read import TapReader
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

LOOK = 100
"""Steps on a GPU after which the loss is looked at: to find its end soon, without making the host wait often."""


Input = tuple[Tensor, Tensor, Knowledge]


class ShardedTraining(Training):
    """Trains as `Training` does, with batches divided among processes and passes.

    Many distillers compare the samples of a batch with one another (Gram matrices, correlations, batch norms of
    losses). Averaging the losses of parts would train by another distiller, so the knowledge of all parts is put
    together first. Among processes it is gathered with its gradient. Among passes there are two rounds: one without
    gradient collects the knowledge, the loss gives its gradient, and the second round carries that back pass by pass
    (Gao et al.: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021). That costs a
    forward pass more; the student alone does without, where its loss is a mean over samples.

    What is left of the division: batch normalisation sees the whole batch over all processes, but of a pass only the
    samples of that pass; and a student that draws random numbers (dropout) draws others in each process.

    Args:
        accumulate: passes for each step.
        ranks: the processes; each is given the same arguments.

    Attributes:
        meter: the losses since it was last asked.

    Raises:
        ConfigError: a batch that cannot be shared out.
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
        accumulate: int = 1,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.accumulate = accumulate
        self.meter = Meter(task.kind.loss_name)
        student = shared_statistics(task.student(student_seed), self.ranks, task.device)
        self._begin(task, student, distiller, recipe, order_seed, distiller_warmup)
        self._refuse_parts()
        batch = len(self.order[0])
        self.ranks.check(batch)
        if not 1 <= accumulate <= batch // self.ranks.count:
            raise ConfigError(
                f"--accumulate is {accumulate}, but must be 1 to {batch // self.ranks.count}, the images that a "
                "process takes in a step; change it or --batch-size"
            )
        self.check_every = 1 if task.device.type == "cpu" else LOOK
        learns = [self.student, *([self.method] if self.method is not None else [])]
        shared = (tensor for one in learns for tensor in (*_data(one), *one.buffers()))
        self.ranks.share_first(t for t in shared if t.device.type == task.device.type)  # calibrations stay on the host
        self._own_seed = order_seed
        self._draw_apart()

    def _refuse_parts(self) -> None:
        """Refuses a method that needs its batch in one piece."""
        whole = {"images", "live teacher", "wrapped student"} & set(self.method.needs if self.method else ())
        if whole and (self.accumulate > 1 or self.ranks.count > 1):
            raise ConfigError(
                f"this method needs its whole batch in one pass of one process ({', '.join(sorted(whole))}), but "
                f"--accumulate is {self.accumulate} and the processes are {self.ranks.count}; take one of each"
            )

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state of the first process; see `Training.restore`."""
        super().restore(state)
        self._draw_apart()

    def _draw_apart(self) -> None:
        """Seeds the first process' draws as those of one process alone, and the others' apart."""
        if not self.ranks.first:
            with own_randomness(self.task.device):
                torch.manual_seed(derive_seed(self._own_seed, "process", self.ranks.rank, self.step))
                self._random = random_state(self.task.device)

    def _backward(self, reader: TapReader, batch: Tensor, epoch: int) -> Tensor:
        if self.ranks.count == 1 and self.accumulate == 1:
            return super()._backward(reader, batch, epoch)
        parts = self._parts(batch)
        if self.accumulate == 1:
            loss = self._together(reader, self.feed(parts[0], epoch))
        elif self.method is None and self.task.kind.per_sample:
            loss = self._alone(reader, parts, epoch, len(batch))
        else:
            loss = self._twice(reader, parts, epoch)
        self.ranks.sum_gradients(self.student.parameters())
        if self.method is not None:
            self.ranks.average_gradients(self.method.learned())
        return loss

    def _critic_step(self) -> None:
        if self._critic is not None and self._seen is not None:
            self._critic.gradients(*self._seen, self._now)
            self.ranks.average_gradients(self._critic.parameters)
            self._critic.optimiser.step()
            self._seen = None

    def _parts(self, batch: Tensor) -> Sequence[Tensor]:
        """Splits this process' image numbers by pass."""
        return self.ranks.share(batch).tensor_split(self.accumulate)

    def _coming(self, until: int) -> Iterator[tuple[Tensor, int]]:
        return ((part, epoch) for batch, epoch in super()._coming(until) for part in self._parts(batch))

    def _loss(self, student: Knowledge, teacher: Knowledge, labels: Tensor) -> Tensor:
        loss = super()._loss(student, teacher, labels)
        terms = self.method.terms() if self.method is not None and self.segment.phase.distils else {}
        if self.rise < 1:
            terms = {name: self.rise * value for name, value in terms.items()}
        self.meter.add(loss.detach(), terms)
        return loss

    def _together(self, reader: TapReader, given: Input) -> Tensor:
        """Makes the step in one pass of this process' samples."""
        loss = self._whole_loss(self._known(reader, given[0]), given[2], given[1])
        loss.backward()
        return loss.detach()

    def _alone(self, reader: TapReader, parts: Sequence[Tensor], epoch: int, size: int) -> Tensor:
        """Trains the student alone, pass by pass: the loss of `size` samples is a sum over them."""
        total = torch.zeros((), device=self.task.device)
        for part in parts:
            images, labels, _ = self.feed(part, epoch)
            loss = self.recipe.ce_weight / size * self.task.kind.loss(self._known(reader, images), labels, "sum")
            loss.backward()
            total += loss.detach()
        total = self.ranks.sum(total)
        self.meter.add(total, {})
        return total

    def _twice(self, reader: TapReader, parts: Sequence[Tensor], epoch: int) -> Tensor:
        """Makes two rounds of passes with the loss of the whole batch between them."""
        inputs = [self.feed(part, epoch) for part in parts]
        with torch.no_grad(), _undone(self.student, self.task.device):
            seen = [self._known(reader, images) for images, _, _ in inputs]
        leaves = _joined(seen).map(lambda tap: tap.requires_grad_())
        loss = self._whole_loss(leaves, _joined([i[2] for i in inputs]), torch.cat([i[1] for i in inputs]))
        loss.backward()
        sizes = [len(part) for part in parts]
        gradients = {name: leaf.grad.split(sizes) for name, leaf in leaves.items() if leaf.grad is not None}
        for place, (images, _, _) in enumerate(inputs if gradients else ()):
            known = self._known(reader, images)
            torch.autograd.backward([known[name] for name in gradients], [gradients[name][place] for name in gradients])
        return loss.detach()

    def _whole_loss(self, student: Knowledge, teacher: Knowledge, labels: Tensor) -> Tensor:
        return self._loss(self.ranks.whole(student), self.ranks.whole(teacher), self.ranks.gathered(labels))


@contextmanager
def _undone(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Restores a model's buffers and torch's random state, since the round inside is done twice."""
    kept = [buffer.clone() for buffer in model.buffers()]
    with own_randomness(device):
        yield
    with torch.no_grad():
        for buffer, value in zip(model.buffers(), kept, strict=True):
            buffer.copy_(value)


def _data(module: nn.Module) -> list[Tensor]:
    return [parameter.data for parameter in module.parameters()]


def _joined(parts: Sequence[Knowledge]) -> Knowledge:
    return Knowledge(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


class Meter:
    """Adds up losses on the device; nothing is read back before `take`.

    Args:
        name: of the task's own loss among the parts.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._steps = 0
        self._loss: Tensor | None = None
        self._terms: dict[str, Tensor] = {}

    def add(self, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Adds one step's loss and the distiller's weighted terms, scalars without gradient."""
        self._steps += 1
        self._loss = loss.double() if self._loss is None else self._loss + loss
        for name, value in terms.items():
            self._terms[name] = self._terms[name] + value if name in self._terms else value.double()

    def take(self) -> tuple[float, dict[str, float]]:
        """Takes the means since the last call: the loss, and its weighted parts by name."""
        if self._loss is None:
            raise AssertionError("a step was done since the last call")
        loss = float(self._loss) / self._steps
        terms = {name: float(value) / self._steps for name, value in self._terms.items()}
        parts = {self._name: loss - sum(terms.values())} | terms
        self._steps, self._loss, self._terms = 0, None, {}
        return loss, parts
