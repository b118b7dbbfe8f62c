"""The route of a teacher: its weights at shares of its own training, kept in the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load_file
from torch import Tensor, nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.randomness import seeded
from kdzero_gp.tasks.input import InputSpec, NetworkInput, network_input
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.recipe import TEACHER, Recipe
from kdzero_gp.tasks.teacher.folder import cache_folder
from kdzero_gp.tasks.teacher.pretrain import teacher_file, write_weights

_log = logging.getLogger(__name__)

Route = Callable[[float], Mapping[str, Tensor]]
"""Gives weights by the share of the training, in (0, 1)."""


def cached_route(
    name: str,
    dataset: Dataset,
    *,
    cache_dir: str | Path | None = None,
    recipe: Recipe = TEACHER,
    seed: int = 0,
    device: torch.device | str = "cpu",
    spec: InputSpec | NetworkInput | None = None,
    kind: TaskKind | None = None,
) -> Route:
    """Makes the route of the teacher that `cached_teacher` gives for the same arguments.

    Weights are read from files beside the teacher's. The first that is missing has the teacher trained once more, on a
    CPU to the same end bit for bit, and is written with those after every epoch whose share is a multiple of 1/8; so
    nothing has to be decided before a teacher is trained, and none that does without a route pays for one.
    """
    kind = kind or kind_of()
    adapt = network_input(spec, dataset)

    def built() -> nn.Module:
        channels, height, width = adapt.shape
        with seeded(seed, device):
            return kind.build(name, dataset, in_channels=channels, image_size=(height, width))

    @cache
    def end() -> Path:
        return cache_folder(cache_dir) / teacher_file(name, built(), dataset, recipe, seed, adapt, kind)

    def path_at(epoch: int) -> Path:
        return end().with_suffix(f".after{epoch}{end().suffix}")

    def weights(share: float) -> Mapping[str, Tensor]:
        epoch = round(share * recipe.epochs)
        if not 0 < epoch < recipe.epochs:
            raise ConfigError(
                f"the teacher was trained for {recipe.epochs} epochs, so there is none after a share of {share:g} of "
                "them; follow its route by fewer anchors"
            )
        path = path_at(epoch)
        with FileLock(end().with_suffix(".route.lock")):
            if not path.exists():
                wanted = {epoch, *(round(part / 8 * recipe.epochs) for part in range(1, 8))} - {0, recipe.epochs}
                _log.info("the teacher %s is trained once more, to keep its weights on the way", name)
                _train(wanted)
        return load_file(path, device=str(device))

    def _train(epochs: set[int]) -> None:
        model = built()
        adapt.attach(model)
        keep = _keeper(model, epochs)
        kind.train_teacher(model, dataset.for_teacher(), recipe, seed=seed, device=device, after_epoch=keep)

    def _keeper(model: nn.Module, epochs: set[int]) -> Callable[[int], None]:
        def keep(done: int) -> None:
            if done in epochs:
                write_weights(path_at(done), model, {"model": name, "epoch": str(done), "data": dataset.name})

        return keep

    return weights
