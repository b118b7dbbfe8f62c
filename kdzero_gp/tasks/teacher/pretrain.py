"""A teacher trained on first use and kept for the next time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.models import load_weights
from kdzero_gp.randomness import seeded
from kdzero_gp.tasks.input import InputSpec, NetworkInput
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.tasks.recipe import TEACHER, Recipe
from kdzero_gp.tasks.teacher.folder import CACHE_VARIABLE, cache_folder

__all__ = ["CACHE_VARIABLE", "cached_teacher"]

_VERSION = 1  # raised when training changes, so that older teachers are trained anew
_log = logging.getLogger(__name__)


def cached_teacher(
    name: str,
    dataset: Dataset,
    *,
    cache_dir: str | Path | None = None,
    weights: str | Path | None = None,
    recipe: Recipe = TEACHER,
    seed: int = 0,
    device: torch.device | str = "cpu",
    spec: InputSpec | None = None,
    kind: TaskKind | None = None,
) -> nn.Module:
    """The teacher called `name` for `dataset`: with the weights given, else out of the cache, else trained now.

    The cache file's name holds a hash of everything that determines the weights: model, classes, data,
    recipe, seed, kind of task. Its header tells the recipe, its quality on validation images and torch's version.
    Processes that ask at once wait for the one that trains. A damaged file is trained anew. A model of the user's own
    (`module:factory`) is cached by its name: after a change to its
    code that keeps all shapes, empty the cache.

    Args:
        name: see `kdzero_gp.models.build`.
        dataset: what it is trained on; gives the number of classes and channels.
        cache_dir: None means `$KDZERO_GP_CACHE`, or else `~/.cache/kdzero_gp`.
        weights: a checkpoint; then nothing is trained or cached.
        recipe: of the training.
        seed: of the initialisation and of the order of the images.
        device: where the model shall be.
        spec: size and normalisation that it wants, where they are not the data set's.
        kind: of task, by default classification.

    Returns:
        The model in evaluation mode; no parameter needs a gradient. It takes images as `spec` says.

    Raises:
        ModelError: unknown name, or weights that do not fit.
        ConfigError: a cache folder that cannot be written.
    """
    kind = kind or kind_of()
    adapt = NetworkInput(spec or InputSpec(), dataset)
    channels, height, width = adapt.shape
    with seeded(seed, device):
        model = kind.build(name, dataset, in_channels=channels, image_size=(height, width))
    if weights is not None:
        load_weights(model, weights)
    else:
        path = cache_folder(cache_dir) / teacher_file(name, dataset, recipe, seed, adapt, kind)
        with FileLock(path.with_suffix(".lock")):
            if not _restored(model, path):
                handle = adapt.attach(model)
                kind.train_teacher(model, dataset, recipe, seed=seed, device=device)
                _keep(model, path, name, dataset, recipe, seed, kind)
                if handle is not None:
                    handle.remove()
    return model.to(device).eval().requires_grad_(False)


def teacher_file(name: str, dataset: Dataset, recipe: Recipe, seed: int, adapt: NetworkInput, kind: TaskKind) -> str:
    """The name of a teacher's file in the cache, with a hash of everything that determines its weights."""
    origin = [_VERSION, name, dataset.num_classes, dataset.fingerprint(), asdict(recipe), seed]
    if not adapt.unchanged:
        origin.append(adapt.identity)
    if kind.name != DEFAULT:
        origin.append(kind.name)
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9_.]+", "_", f"{name}-{dataset.name}")[:60]
    return f"{readable}-{digest}.safetensors"


def _restored(model: nn.Module, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        load_weights(model, path)
    except ModelError as error:
        _log.warning("The cached teacher %s is damaged and is trained anew (%s)", path, error)
        return False
    return True


def _keep(model: nn.Module, path: Path, name: str, dataset: Dataset, recipe: Recipe, seed: int, kind: TaskKind) -> None:
    quality = kind.network_measures(model, dataset, dataset.val)[kind.quality.key]
    header = {
        "model": name,
        "num_classes": str(dataset.num_classes),
        "data": dataset.name,
        "data_fingerprint": dataset.fingerprint(),
        "recipe": json.dumps(asdict(recipe)),
        "seed": str(seed),
        f"val_{kind.quality.key}": f"{quality:.6f}",
        "torch": str(torch.__version__),
    }
    write_weights(path, model, header)


def write_weights(path: Path, model: nn.Module, header: dict[str, str]) -> None:
    """Writes a network's weights whole, with a header of texts.

    Raises:
        ConfigError: the cache cannot be written.
    """
    # Copies, because tied weights share memory, which the format refuses.
    weights = {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(weights, partial, header)
        partial.replace(path)  # a reader sees the whole file or none
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"The trained teacher cannot be written to {path} ({error}); make room there, or set the environment "
            f"variable {CACHE_VARIABLE} to another folder"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
