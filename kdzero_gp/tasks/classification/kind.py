"""Image classification: every image has exactly one of K classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, LabelForm, Split
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.find import SCORES, find_taps
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.class_scores import build_scorer, check_scores, check_scores_tap
from kdzero_gp.tasks.classification import loss, measures
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.kind import Measured, Reduction, TaskKind
from kdzero_gp.tasks.recipe import Recipe


class Classification:
    """Image classification, trained by cross-entropy and ranked by accuracy; see `TaskKind`."""

    name = "classification"
    about = "images of one class each"
    labels: LabelForm = "class"
    exclusive = True
    loss_taps = (SCORES,)
    loss_name, loss_title = "ce", "cross-entropy"
    per_sample = True
    quality = measures.ACCURACY
    further = (measures.TOP5,)
    fitness = ("tempered", "relative", "eq2")
    augmentations = ("none", "crop-flip", "strong")
    baseline = "kd"

    def build(self, name: str, data: Dataset, *, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        """Gives a network with one score for each class."""
        return build_scorer(name, data, in_channels=in_channels, image_size=image_size)

    def check_output(self, output: object, data: Dataset, images: Tensor, network: str) -> None:
        """Checks that the output holds one score for each image and class."""
        check_scores(output, data, images, network)

    def find_taps(self, model: nn.Module, images: Tensor, override: Mapping[str, str] | None, *, depths: int) -> Taps:
        """Finds the stages, the penultimate vector and the class scores."""
        return find_taps(model, images, override, depths=depths)

    def check_taps(self, taps: Taps, data: Dataset, network: str) -> None:
        """Checks that the network has one score for each class."""
        check_scores_tap(taps, data, network)

    def loss(self, student: Knowledge, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        """Computes the cross-entropy with the labels."""
        return loss.task_loss(student, targets, reduction)

    def divergence(self, student: Knowledge, teacher: Knowledge) -> Tensor:
        """Computes the KL divergence of the class probabilities."""
        return loss.divergence(student, teacher)

    def parts(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures what the fitness functions read; see `fitness_parts`."""
        return measures.fitness_parts(task, student, split)

    def full_parts(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures what the fitness functions read, and top-5 accuracy."""
        return measures.full_parts(task, student, split)

    def measures(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures accuracy and top-5 accuracy of a student."""
        return measures.student_shares(task, student, split)

    def teacher_measures(self, task: Measured, split: str) -> dict[str, float]:
        """Measures accuracy and top-5 accuracy of the teacher."""
        return measures.teacher_shares(task, split)

    def network_measures(self, model: nn.Module, data: Dataset, split: Split) -> dict[str, float]:
        """Measures accuracy and top-5 accuracy of any network."""
        return measures.network_shares(model, data, split)

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
        """Trains a teacher by cross-entropy."""
        return train_teacher(model, data, recipe, seed=seed, device=device, after_epoch=after_epoch)


KIND: TaskKind = Classification()
