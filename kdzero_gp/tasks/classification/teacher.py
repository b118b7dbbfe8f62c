"""The training of a classifier as a teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from kdzero_gp.data import Dataset
from kdzero_gp.tasks.recipe import TEACHER, Recipe
from kdzero_gp.tasks.teacher.supervised import train_supervised


def train_teacher(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe = TEACHER,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    after_epoch: Callable[[int], None] | None = None,
) -> nn.Module:
    """Trains `model` in place with cross-entropy on the training split; see `train_supervised`."""
    return train_supervised(
        model, dataset, recipe, functional.cross_entropy, seed=seed, device=device, after_epoch=after_epoch
    )
