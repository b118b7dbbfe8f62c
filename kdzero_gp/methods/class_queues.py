"""A queue of vectors for each class, the oldest of which give way."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassQueues(nn.Module):
    """Vectors by class, at first random ones of length 1; all of it is in a checkpoint.

    Args:
        classes: K.
        length: of each queue.
        width: of a vector.
    """

    vectors: Tensor
    next: Tensor

    def __init__(self, classes: int, length: int, width: int) -> None:
        super().__init__()
        self.classes, self.length = classes, length
        self.register_buffer("vectors", nn.functional.normalize(torch.randn(classes * length, width), dim=1))
        self.register_buffer("next", torch.zeros(classes, dtype=torch.int64))  # place that the next vector takes

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """So many of every class at random, each at most once, (K · count, D)."""
        order = torch.rand((self.classes, self.length), generator=generator, device=self.vectors.device).argsort(1)
        first = self.length * torch.arange(self.classes, device=order.device)[:, None]
        return self.vectors[(first + order[:, :count]).flatten()]

    @torch.no_grad()
    def enter(self, vectors: Tensor, labels: Tensor) -> None:
        """Puts vectors (N, M, D) of samples with these labels (N,) in, in order.

        Of more than a queue holds, the last stay.
        """
        each = vectors.shape[1]
        same = labels[:, None] == labels
        number = same.tril(-1).sum(1)[:, None] * each + torch.arange(each, device=labels.device)  # within its class
        count = same.sum(1)[:, None] * each
        place = labels[:, None] * self.length + (self.next[labels][:, None] + number) % self.length
        stays = number >= count - self.length
        self.vectors[place[stays]] = vectors[stays].detach().to(self.vectors.dtype)
        entered = torch.bincount(labels, minlength=self.classes) * each
        self.next.copy_((self.next + entered) % self.length)
