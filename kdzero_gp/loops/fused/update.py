"""One optimiser step for K students at once, each clipped by the norm of its own gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.loops.fused.stack import Stack
from kdzero_gp.tasks.recipe import Recipe


class FusedUpdate:
    """Clips and steps the leaves of a stack together with what each student's distiller learns.

    Sums over students never happen, so that a NaN stays in its row; and nothing is read back by the host.

    Args:
        own: the parameters of each student's distiller.
    """

    def __init__(self, stack: Stack, own: Sequence[Sequence[nn.Parameter]], recipe: Recipe) -> None:
        self.stack = stack
        self.own = own
        self.clip = recipe.clip
        self.optimiser = recipe.make_optimiser([*stack.leaves, *(p for parameters in own for p in parameters)])
        self._members: dict[tuple[int, ...], Tensor] = {}

    def zero_grad(self) -> None:
        """Drops all gradients."""
        self.optimiser.zero_grad(set_to_none=True)

    def step(self, rate: float | Tensor, alive: Tensor | None) -> None:
        """Clips the gradients as `clip_grad_norm_` does for each student alone, then moves the parameters.

        Args:
            rate: the learning rate.
            alive: (K,) bool, which students move; None if all do.
        """
        rows = [self.stack.rows(leaf.grad) for leaf in self.stack.leaves if leaf.grad is not None]
        norms = torch.linalg.vector_norm(torch.cat(rows, 1), dim=1)
        owners, gradients = self._own_gradients()
        if gradients:
            lengths = torch.stack([length.to(norms.dtype) for length in torch._foreach_norm(gradients)])
            mine = torch.where(self._owned(tuple(owners), norms.device), lengths, 0.0)  # 0 * inf would be NaN
            norms = torch.linalg.vector_norm(torch.cat([norms[:, None], mine], 1), dim=1)
        factors = (self.clip / (norms + 1e-6)).clamp(max=1.0)
        if alive is not None:
            factors = torch.where(alive, factors, 0.0)
        column = factors[:, None]
        torch._foreach_mul_(rows, [column] * len(rows))
        if gradients:
            each = factors.unbind()
            torch._foreach_mul_(gradients, [each[owner] for owner in owners])
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()

    def momentum(self, student: int) -> Iterator[Tensor | None]:
        """Lists the momentum of one student's parameters, then of its distiller's, as views or None."""
        for leaf in self.stack.leaves:
            buffer = self.optimiser.state[leaf].get("momentum_buffer")
            yield None if buffer is None else self.stack.split(buffer)[student]
        for parameter in self.own[student]:
            yield self.optimiser.state[parameter].get("momentum_buffer")

    def set_momentum(self, students: Sequence[Sequence[Tensor | None]]) -> None:
        """Sets the momentum of all students, in the form of `momentum`."""
        for place, leaf in enumerate(self.stack.leaves):
            values = [momenta[place] for momenta in students]
            if all(value is None for value in values):
                self.optimiser.state.pop(leaf, None)
                continue
            buffer = torch.zeros_like(leaf)  # what a student without momentum starts from
            for row, value in zip(self.stack.split(buffer), values, strict=True):
                if value is not None:
                    row.copy_(value.reshape(row.shape))
            self.optimiser.state[leaf]["momentum_buffer"] = buffer
        first = len(self.stack.leaves)
        for parameters, momenta in zip(self.own, students, strict=True):
            for parameter, value in zip(parameters, momenta[first:], strict=True):
                if value is None:
                    self.optimiser.state.pop(parameter, None)
                else:
                    self.optimiser.state[parameter]["momentum_buffer"] = value.to(parameter.device, copy=True)

    def _own_gradients(self) -> tuple[list[int], list[Tensor]]:
        """Lists the distillers' gradients and the students that they belong to."""
        pairs = [(owner, p.grad) for owner, own in enumerate(self.own) for p in own if p.grad is not None]
        return [owner for owner, _ in pairs], [gradient for _, gradient in pairs]

    def _owned(self, owners: tuple[int, ...], device: torch.device) -> Tensor:
        """Maps students to the distillers' gradients, (K, gradients) bool."""
        if owners not in self._members:  # made once: a copy to the device makes the host wait
            students = torch.arange(self.stack.count)[:, None]
            self._members[owners] = torch.tensor(owners).eq(students).to(device)
        return self._members[owners]
