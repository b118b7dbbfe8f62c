"""A method that is a module: learned parts, state, phases, a critic, and whatever else it needs beside taps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import Need, Now, World
from kdzero_gp.randomness import seeded

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of every tap, the batch included."""


class MethodLoss(nn.Module):
    """The loss of a method, `loss = method(student, teacher, targets, now)`, to be added to the task's own loss.

    A subclass says in `__init__` which taps it reads, makes its modules in `build` and gives its weighted terms in
    `loss`; what it does not set has the default of a plain distiller. Its parameters train with the student, its
    buffers are part of every checkpoint, and all of it is thrown away in the end. It draws random numbers from
    `now.generator` alone, and half-precision taps reach it in float32.

    Args:
        taps: names of the taps that both networks are read at.
        student, teacher: names of taps that one network alone is read at, in addition. Beside `stageK`, `pool` and
            `logits` there are `stem`, `preK` and `attnB`, see `kdzero_gp.taps.anatomy.find_anatomy`.

    Attributes:
        method: the `Method` that `module_method` declared it as.
        student_taps, teacher_taps: what is read of each.
        needs: what a training loop must give beside taps.
        phases: of its schedule.
        critic: a module of its own that trains by `critic_loss` after each step of the student, and by nothing else.
        seed: of its initial weights and random numbers.
        calls: how often the loss was asked for.
    """

    method: ClassVar[Any] = None
    needs: tuple[Need, ...] = ()

    def __init__(self, taps: Sequence[str] = (), *, student: Sequence[str] = (), teacher: Sequence[str] = ()) -> None:
        super().__init__()
        self.student_taps = tuple(dict.fromkeys((*taps, *student)))
        self.teacher_taps = tuple(dict.fromkeys((*taps, *teacher)))
        self.phases: tuple[Phase, ...] = (Phase(),)
        self.critic: nn.Module | None = None
        self.seed = 0
        self.calls = 0
        self._prepared = False
        self._last: dict[str, Tensor] = {}

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        """Makes the modules and buffers for these shapes; its random numbers are the method's own."""

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        """Gives the weighted terms of one batch by name; their sum is the loss.

        Args:
            student: taps with their graph.
            teacher: taps without.
            targets: (N,) int64 class labels, or what the task has in their place.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no loss")

    def critic_loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> Tensor:
        """Gives what the critic lowers, on taps without graph."""
        raise NotImplementedError(f"{type(self).__name__} has a critic and no loss for it")

    def critic_optimiser(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Gives the critic's own."""
        return torch.optim.Adam(parameters, lr=1e-3)

    def wrap(self, student: nn.Module) -> nn.Module:
        """Gives the network that is trained and tested in the student's place; by default the student itself."""
        return student

    def prepare(self, student: Knowledge, teacher: Knowledge, world: World | None = None) -> Self:
        """Builds the method for the shapes of these two, on their device; later calls do nothing.

        Raises:
            TapError: a tap is missing.
        """
        if self._prepared:
            return self
        for knowledge, names in ((student, self.student_taps), (teacher, self.teacher_taps)):
            for name in names:
                knowledge[name]  # raises TapError with the taps there are
        device = next((tap.device for tap in (*student.values(), *teacher.values())), torch.device("cpu"))
        with seeded(self.seed):
            self.build(student.shapes(), teacher.shapes(), world or World(device=device))
        if (self.critic is None) == ("critic" in self.needs):
            raise AssertionError(f"{type(self).__name__} must have a critic where it says so, and nowhere else")
        self.to(device)
        self._prepared = True
        return self

    def forward(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None, now: Now | None = None
    ) -> Tensor:
        """Gives the loss of one batch, a scalar: the sum of its terms."""
        self.prepare(student, teacher)
        self.calls += 1
        student, teacher = student.map(_widened), teacher.map(_widened)
        device = next((tap.device for tap in (*student.values(), *teacher.values())), torch.device("cpu"))
        labels = torch.empty(0, dtype=torch.int64, device=device) if targets is None else targets
        with torch.autocast(device.type, enabled=False):
            terms = self.loss(student, teacher, labels, now or Now(seed=self.seed))
        if not terms:
            raise TapError(f"{type(self).__name__} gave no term; a loss has at least one")
        self._last = {name: value.detach() for name, value in terms.items()}
        return torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))

    def terms(self) -> dict[str, Tensor]:
        """Gives every weighted term of the last call by its name, without gradient, for logging."""
        return dict(self._last)

    def learned(self) -> list[nn.Parameter]:
        """Gives the parameters that train with the student: all but the critic's."""
        critics = set() if self.critic is None else set(self.critic.parameters())
        return [parameter for parameter in self.parameters() if parameter not in critics]

    def fusable(self, taps: Collection[str]) -> str:
        """Tells what keeps its student from being trained in one program with others; "" if nothing does.

        Args:
            taps: those that a stack of students can be read at.
        """
        reasons: list[str] = [need for need in self.needs if need != "sample numbers"]
        if self.phases != (Phase(),):
            reasons.append("phases of its own")
        reasons += [f"the tap {name}" for name in self.student_taps if name not in taps]
        return ", ".join(reasons)


class TreeLoss(MethodLoss):
    """A distiller as a method: every option at its default.

    The distiller keeps its state, which is that of the method.
    """

    def __init__(self, distiller: Distiller) -> None:
        super().__init__(distiller.taps)
        self.distiller = distiller

    def prepare(self, student: Knowledge, teacher: Knowledge, world: World | None = None) -> Self:
        """Builds the aligners."""
        self.distiller.prepare(student, teacher)
        return self

    def forward(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None, now: Now | None = None
    ) -> Tensor:
        """Gives the distiller's loss of one batch."""
        loss: Tensor = self.distiller(student, teacher, targets)
        return loss

    def terms(self) -> dict[str, Tensor]:
        """Gives every weighted term of the last call by its text."""
        return self.distiller.terms()


def as_method(loss: Distiller | MethodLoss | None) -> MethodLoss | None:
    """Gives what a training loop calls: the method, or a distiller as one."""
    return TreeLoss(loss) if isinstance(loss, Distiller) else loss


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Inside, gradients flow through a module and none arrives at its parameters: how a student asks a critic."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _widened(tap: Tensor) -> Tensor:
    return tap.float() if tap.dtype in (torch.float16, torch.bfloat16) else tap
