"""What one training reads: batches of images with their labels and the teacher's knowledge of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor

from kdzero_gp.distiller.knowledge import Knowledge

if TYPE_CHECKING:
    from kdzero_gp.tasks.task import Task


class Feed:
    """Serves the training split of a task to one training, or to several that share their batches.

    Args:
        taps: the teacher's, those that the distillers read; none for a student alone.
    """

    def __init__(self, task: Task, taps: Iterable[str]) -> None:
        names = tuple(taps)
        self.device = task.device
        self.images, self.labels = task.all_images("train"), task.labels("train")
        self.teacher = task.teacher_knowledge("train", names) if names else Knowledge()

    def __len__(self) -> int:
        return len(self.labels)

    def __call__(self, batch: Tensor, epoch: int) -> tuple[Tensor, Tensor, Knowledge]:
        """The images (B, C, H, W) float32, labels (B,) and teacher taps of the images numbered `batch` (B,).

        Args:
            epoch: 0-based; it selects the view of the data.
        """
        batch = batch.to(self.device)
        return self.images[batch], self.labels[batch], self.teacher.map(lambda tensor: tensor[batch])
