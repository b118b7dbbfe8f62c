"""A tree added to a method that is a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.world import Now, World


class AddedTree(MethodLoss):
    """The sum of two losses, each as it is alone; schedule, critic and needs are the base's.

    The tree counts in every phase that asks for the base's loss and runs the student.

    Args:
        base: a method that is a module.
        distiller: the tree.
    """

    def __init__(self, base: MethodLoss, distiller: Distiller) -> None:
        super().__init__(student=(*base.student_taps, *distiller.taps), teacher=(*base.teacher_taps, *distiller.taps))
        self.base, self.distiller = base, distiller
        self.needs, self.phases, self.seed = base.needs, base.phases, base.seed

    def prepare(self, student: Knowledge, teacher: Knowledge, world: World | None = None) -> Self:
        """Builds both."""
        self.base.prepare(student, teacher, world)
        self.critic = self.base.critic
        self.distiller.prepare(student, teacher)
        return self

    def forward(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None, now: Now | None = None
    ) -> Tensor:
        """Gives the sum for one batch."""
        self.distiller.calls = self.calls  # which a resumed training sets here alone
        self.calls += 1
        loss: Tensor = self.base(student, teacher, targets, now)
        if all(name in student for name in self.distiller.taps):
            loss = loss + self.distiller(student, teacher, targets)
        return loss

    def terms(self) -> dict[str, Tensor]:
        """Gives the weighted terms of both."""
        return self.base.terms() | self.distiller.terms()

    def critic_loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> Tensor:
        """Gives the base's."""
        return self.base.critic_loss(student, teacher, targets, now)

    def critic_optimiser(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Gives the base's."""
        return self.base.critic_optimiser(parameters)

    def wrap(self, student: nn.Module) -> nn.Module:
        """Gives what the base makes of it."""
        return self.base.wrap(student)
