"""How the places of a map, or the tokens of a transformer, attend to one another."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST = 8
"""Side of a map above which it is averaged before its places are compared."""


def map_tokens(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """The places of two maps as tokens (N, L, C), averaged to a common size of at most 8x8."""
    height, width = (min(s, t, LARGEST) for s, t in zip(student.shape[2:], teacher.shape[2:], strict=True))
    ours, theirs = (F.adaptive_avg_pool2d(maps, (height, width)) for maps in (student, teacher))
    return ours.flatten(2).transpose(1, 2), theirs.flatten(2).transpose(1, 2)


def relations(queries: Tensor, keys: Tensor, heads: int = 1) -> Tensor:
    """log softmax over tokens of Q·Kᵀ / √d in every head, (N, L, D) twice to (N, heads, L, L)."""
    q, k = (side.unflatten(2, (heads, -1)).transpose(1, 2) for side in (queries, keys))
    scores: Tensor = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(q.shape[3])
    return scores.log_softmax(3)


def rows_apart(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher ‖ student) of log distributions in the last dimension, the mean over all rows."""
    return F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1).mean()
