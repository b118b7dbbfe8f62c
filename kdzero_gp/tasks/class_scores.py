"""The common part of all kinds with one score for each class of an image, (N, K)."""

from torch import Tensor, nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ModelError
from kdzero_gp.models import build
from kdzero_gp.taps.find import SCORES
from kdzero_gp.taps.read import OTHER_SCORES, POOL, form_of
from kdzero_gp.taps.tap import Taps

FEATURES = (POOL, SCORES)
"""Taps that the parts of a student are made from: the penultimate features, where there are any, and the scores."""


def build_scorer(name: str, data: Dataset, *, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    """Builds the network called `name`, with one score for each class of the data."""
    return build(name, num_classes=data.num_classes, in_channels=in_channels, image_size=image_size)


def check_scores(output: object, data: Dataset, images: Tensor, network: str) -> None:
    """Checks that `output` is one score for each image and class.

    Raises:
        ModelError: it is not.
    """
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != len(images):
        found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else form_of(output)
        raise ModelError(
            f"{network} gives {found} for images of shape {tuple(images.shape)}, but must give class scores "
            f"({len(images)}, {data.num_classes}). {OTHER_SCORES}"
        )
    if output.shape[1] != data.num_classes:
        raise ModelError(
            f"{network} scores {output.shape[1]} classes, but {data.name} has {data.num_classes}; teacher, "
            "student and data must have the same classes: build the network for `num_classes`"
        )


def check_scores_tap(taps: Taps, data: Dataset, network: str) -> None:
    """Checks that a network has one score for each class of the data.

    Raises:
        ModelError: it has not.
    """
    classes = taps[SCORES].shape[0]
    if classes != data.num_classes:
        raise ModelError(
            f"{network} gives {classes} class scores, but {data.name} has {data.num_classes} classes; "
            "teacher, student and data must have the same classes"
        )
