"""Where a teacher's weights come from: its factory, a file, or a training here."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.models.user import is_user_model
from kdzero_gp.tasks.measure import Measure

OWN: Final = "own"
TRAIN: Final = "train"
"""Words for `--teacher-weights` beside the path of a file."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """The origin of a teacher's weights.

    Attributes:
        how: `own` from its factory, `train`ed here, or out of a `file`.
        reason: how that was decided, for people.
    """

    how: Literal["own", "train", "file"]
    reason: str


def settle_origin(name: str, weights: str | Path | None, model: nn.Module, again: Callable[[], nn.Module]) -> Origin:
    """Decides where the weights come from.

    A factory of the user's own that gives the same weights whatever the random seed has loaded them: initial weights
    would differ.

    Args:
        name: of the network.
        weights: `own`, `train`, the path of a file, or None to find out.
        model: the network as it was built.
        again: builds it once more with another seed.

    Raises:
        ConfigError: `own` of a network that brings no weights.
    """
    if weights == TRAIN:
        return Origin("train", "as --teacher-weights train says")
    if weights == OWN:
        if not is_user_model(name):
            raise ConfigError(
                f"--teacher-weights is own, but {name} is built with fresh weights; give the path of a checkpoint, or "
                "train to have it trained here"
            )
        return Origin("own", "as --teacher-weights own says")
    if weights is not None:
        return Origin("file", f"those of {weights}")
    if not is_user_model(name):
        return Origin("train", "it is built with fresh weights")
    first, second = (dict(network.named_parameters()) for network in (model, again()))
    new = [key for key, value in first.items() if key not in second or not _equal(value, second[key])]
    if first and not new:
        return Origin(
            "own",
            "its factory gives the same under two random seeds, so it has loaded them; --teacher-weights train trains "
            "it from there",
        )
    return Origin(
        "train",
        f"{len(new)} of its {len(first)} parameters are other ones under another random seed, such as "
        f"{', '.join(new[:3])}, so they are fresh; --teacher-weights own takes them as they are",
    )


def report(name: str, origin: Origin, measure: Measure, quality: float, labels: Tensor) -> None:
    """Tells the origin and quality of a teacher's weights; warns of a teacher near chance.

    Args:
        name: of the network.
        measure: by which teachers are judged.
        quality: of the validation images.
        labels: of those images; where each is one class, (N,) int64, a share of 0 … 1 is compared with guessing.
    """
    said = {"own": "has the weights of its factory", "train": "is trained here", "file": "has weights out of a file"}
    line = (
        f"teacher {name} {said[origin.how]} ({origin.reason}): {measure.name} {measure.shown(quality)} on {len(labels)}"
    )
    if is_near_chance(quality, labels):
        _log.warning(
            "%s validation images, which is near chance: it has nothing to teach. Check its weights (--teacher-weights "
            "own, train or FILE), its normalisation (--teacher-norm) and the order of its classes",
            line,
        )
    elif is_user_model(name) and not origin.reason.startswith("as --teacher-weights"):
        _log.warning("%s validation images", line)
    else:
        _log.info("%s validation images", line)


def is_near_chance(accuracy: float, labels: Tensor) -> bool:
    """Tells whether an accuracy is within three standard errors of guessing the most frequent class."""
    if labels.dim() != 1 or not len(labels):
        return False
    chance = int(labels.bincount().max()) / len(labels)
    return chance < 1 and accuracy <= chance + 3 * math.sqrt(chance * (1 - chance) / len(labels))


def _equal(one: Tensor, two: Tensor) -> bool:
    return one.shape == two.shape and torch.equal(one.detach().cpu(), two.detach().cpu())
