"""Whether two networks can be used for a data set, seen before the teacher is trained for it."""

import torch
from torch import nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ModelError
from kdzero_gp.models import build


def check_pair(teacher: str, student: str, data: Dataset) -> None:
    """Builds both networks and shows them two images.

    Raises:
        ModelError: one is unknown, cannot take these images, or does not score the data's classes.
    """
    images = data.normalise(data.train.images[:2])
    for role, name in (("teacher", teacher), ("student", student)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build(name, num_classes=data.num_classes, in_channels=data.image_shape[0])
            _check(role, name, model, images, data)


def _check(role: str, name: str, model: nn.Module, images: torch.Tensor, data: Dataset) -> None:
    shape = tuple(images.shape)
    try:
        with torch.no_grad():
            scores = model.eval()(images)
    except Exception as error:  # it can be the user's own, and fail in any way
        raise ModelError(
            f"the {role} {name} fails on images of shape {shape}, as {data.name} has them: "
            f"{type(error).__name__}: {error}; take a network for such images"
        ) from error
    if not isinstance(scores, torch.Tensor) or scores.dim() != 2 or len(scores) != len(images):
        found = f"shape {tuple(scores.shape)}" if isinstance(scores, torch.Tensor) else f"a {type(scores).__name__}"
        raise ModelError(
            f"the {role} {name} gives {found} for images of shape {shape}, but must give class scores "
            f"({len(images)}, {data.num_classes})"
        )
    if scores.shape[1] != data.num_classes:
        raise ModelError(
            f"the {role} {name} scores {scores.shape[1]} classes, but {data.name} has {data.num_classes}; teacher, "
            "student and data must have the same classes: build the network for `num_classes`"
        )
