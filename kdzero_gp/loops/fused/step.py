"""One step of K students: losses, gradients and update, without a wait of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.fused.stack import Stack
from kdzero_gp.loops.fused.update import FusedUpdate
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.world import Now
from kdzero_gp.tasks.kind import TaskKind


class FusedStep:
    """One forward pass of the stack, the distillers one after another, one backward pass, one update.

    Args:
        ce_weight: weight of the task's loss beside the distillers: one for all, or (K,) one for each.
        kind: gives that loss.
        autocast: what the forward pass runs under.

    Attributes:
        losses: (K,) of the last step; those of dropped students mean nothing.
        raised: which distillers raised what in the last step. Their students did that step on the labels alone.
        now: the moment of the step, for methods that ask.
        rises: by what each distiller is weighted beside its own weight, during its warm-up.
    """

    def __init__(
        self,
        stack: Stack,
        distillers: Sequence[MethodLoss | None],
        update: FusedUpdate,
        ce_weight: float | Tensor,
        kind: TaskKind,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._autocast = autocast
        self._kind = kind
        self._stack, self._distillers, self._update, self._ce_weight = stack, list(distillers), update, ce_weight
        self._moving: Tensor | None = None
        self.losses = torch.zeros(stack.count)
        self.raised: dict[int, BaseException] = {}
        self.now = Now()
        self.rises = [1.0] * stack.count

    def __call__(self, images: Tensor, targets: Tensor, teacher: Knowledge, rate: float | Tensor) -> None:
        """Trains all students on one batch.

        Args:
            images: (B, C, H, W).
            targets: (B, …).
            rate: the learning rate.
        """
        self._update.zero_grad()
        with self._autocast():
            taps = self._stack(images)
        each = self._own_losses(taps, targets)
        weight = self._ce_weight.to(each.dtype) if isinstance(self._ce_weight, Tensor) else self._ce_weight
        own = weight * each.unflatten(0, (self._stack.count, -1)).mean(1)
        roots, gradients = [own.sum()], [torch.ones_like(own[0])]
        losses = list(own.detach().unbind())
        parts = {name: self._stack.apart(tap) for name, tap in taps.items()}
        self.raised = {}
        for number, distiller in enumerate(self._distillers):
            if distiller is None:
                continue
            # Its graph begins at the taps and is gone before the next distiller's: memory for one at a time.
            mine = {name: parts[name][number].detach().requires_grad_() for name in distiller.student_taps}
            try:
                now = replace(self.now, seed=distiller.seed)
                loss = distiller(Knowledge(**mine), teacher, targets, now)
                if self.rises[number] != 1:
                    loss = self.rises[number] * loss
                if loss.requires_grad:
                    loss.backward()
            except (Exception, SystemExit) as error:
                if _concerns_all(error, targets.device):
                    raise
                self.raised[number] = error
                continue
            losses[number] = losses[number] + loss.detach()
            for name, tap in mine.items():
                if tap.grad is not None:
                    roots.append(parts[name][number])
                    gradients.append(tap.grad)
        torch.autograd.backward(roots, gradients)
        self._update.step(rate, self._moving)
        self.losses = torch.stack(losses)

    def _own_losses(self, taps: Mapping[str, Tensor], targets: Tensor) -> Tensor:
        """Computes the task's loss of every sample of every student, (K · B,), as if of one student."""
        count = self._stack.count
        every = {name: self._stack.together(taps[name]).flatten(0, 1) for name in self._kind.loss_taps}
        return self._kind.loss(Knowledge(**every), targets.repeat(count, *[1] * (targets.dim() - 1)), "none")

    def drop(self, number: int) -> None:
        """Takes a student out: zeroed and without a distiller, it computes no NaN."""
        self._distillers[number] = None
        self._stack.clear(number)
        for momentum in self._update.momentum(number):
            if momentum is not None:
                momentum.zero_()
        if self._moving is None:
            self._moving = torch.ones(self._stack.count, dtype=torch.bool, device=self.losses.device)
        self._moving[number] = False


def _concerns_all(error: BaseException, device: torch.device) -> bool:
    """Tells whether an error is no fault of the distiller it came from.

    All students together need more memory than there is, or a CUDA graph cannot hold what the distiller does.
    """
    exhausted = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
    return exhausted or (device.type == "cuda" and torch.cuda.is_current_stream_capturing())
