"""The batches of one training: images, targets and the teacher's knowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor

from kdzero_gp.data import Batches
from kdzero_gp.knowledge import Knowledge

Taught = Callable[[Tensor, int | None, Tensor], Knowledge]


class TrainingBatches:
    """Serves the training split to one training, or to several that share their batches.

    Args:
        images: of the training split.
        targets: of every image, (N, …) on the device.
        teacher: the teacher's knowledge of images by (numbers, view, the images themselves).
    """

    def __init__(self, images: Batches, targets: Tensor, teacher: Taught) -> None:
        self.device = images.device
        self._images, self._targets, self._teacher = images, targets, teacher
        self._views = images.augmentation.views
        self._augmented = images.augmentation.active

    def __len__(self) -> int:
        return len(self._targets)

    def __call__(self, batch: Tensor, epoch: int) -> tuple[Tensor, Tensor, Knowledge]:
        """Reads images (B, C, H, W) float32, targets (B, …) and teacher taps of the images numbered `batch` (B,) int64.

        Numbers on the host are best: they are needed there for taps that are not kept on a GPU.

        Args:
            epoch: 0-based; it selects the view, which is `epoch % views` of the task's augmentation.
        """
        numbers = batch.to(self.device, non_blocking=True)
        view = self._view(epoch)
        images = self._images(batch if self._images.on_host else numbers, view)
        return images, self._targets.index_select(0, numbers), self._teacher(batch, view, images)

    def follow(self, batches: Iterable[tuple[Tensor, int]]) -> None:
        """Announces the coming batches with their epochs, so that files are decoded ahead.

        It changes how long they take and nothing else. A later call takes the place of this one.
        """
        self._images.follow((batch, self._view(epoch)) for batch, epoch in batches)

    def _view(self, epoch: int) -> int | None:
        return epoch % self._views if self._augmented else None
