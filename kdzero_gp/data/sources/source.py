"""What is known of a data set before its files are read: one record each, and no other place for these numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Normalisation and split rules of one data set, or of one kind of data set.

    Attributes:
        name: of the data set; None where a file or folder gives it.
        mean, std: per channel, of pixels divided by `scale`; None: counted over the training split.
        scale: the pixel value that stands for 1.0.
        val_fraction: share of every class' training images that is set aside for validation.
        test_fraction: share of every class' images for testing, where the set brings no test images of its own.
        side: height and width that all images are brought to; None: their own.
    """

    name: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float = 255.0
    val_fraction: float = 0.1
    test_fraction: float = 0.2
    side: int | None = None


CIFAR10 = Source("cifar10", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR100 = Source("cifar100", (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
"""Both: 50,000 training and 10,000 test images 32x32; 10 % of every class' training images are for validation. The
constants are those of the 50,000 training images, as RepDistiller has them for CIFAR-100."""

IMAGENET = Source("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), val_fraction=0.04, side=224)
"""ILSVRC 2012: its `val` is the test set; 4 % of the training images, about 50,000, are for validation."""

NPZ = Source()
FOLDER = Source()
"""The user's own: constants counted over the training images (of a streamed folder, over a sample of them)."""
