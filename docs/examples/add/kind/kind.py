"""A kind of task, for kdzero_gp/tasks/smoothed/: classification whose labels are not quite certain."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.data import Dataset
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.find import SCORES
from kdzero_gp.tasks.classification.kind import Classification
from kdzero_gp.tasks.kind import Reduction, TaskKind
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.teacher.supervised import train_supervised

SMOOTHING = 0.1


def smoothed(scores: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Cross-entropy of the scores (N, K) with 0.9 of the label (N,) and 0.1 of all classes alike."""
    return functional.cross_entropy(scores.float(), targets, reduction=reduction, label_smoothing=SMOOTHING)


class Smoothed(Classification):
    """Trained by cross-entropy with smoothed labels; all else is as in classification."""

    name = "smoothed"
    loss_name, loss_title = "sce", "cross-entropy with smoothed labels"

    def loss(self, student: Knowledge, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        """Cross-entropy with smoothed labels."""
        return smoothed(student[SCORES], targets, reduction)

    def train_teacher(
        self,
        model: nn.Module,
        data: Dataset,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device | str,
        after_epoch: Callable[[int], None] | None = None,
    ) -> nn.Module:
        """By the same loss."""
        return train_supervised(model, data, recipe, smoothed, seed=seed, device=device, after_epoch=after_epoch)


KIND: TaskKind = Smoothed()
