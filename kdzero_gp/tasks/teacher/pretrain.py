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
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from kdzero_gp.data import Dataset
from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.models import load_weights
from kdzero_gp.models.user import is_user_model, source_digest
from kdzero_gp.models.weights import weights_digest
from kdzero_gp.randomness import seeded
from kdzero_gp.taps.scores import scores_alone
from kdzero_gp.tasks.input import InputSpec, NetworkInput, network_input
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.tasks.recipe import TEACHER, Recipe
from kdzero_gp.tasks.teacher.folder import CACHE_VARIABLE, bound_cache, cache_folder
from kdzero_gp.tasks.teacher.origin import report, settle_origin

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
    spec: InputSpec | NetworkInput | None = None,
    scores: str | None = None,
    kind: TaskKind | None = None,
) -> nn.Module:
    """Makes the teacher called `name` for `dataset`: with the given weights, from the cache, or trained now.

    A model of the user's own (`module:factory`) that has loaded weights is used as it is (see `origin`). The cache
    file's name holds a hash of everything that determines the weights: model, classes, data, recipe, seed, kind
    of task. A model of
    the user's own is told by its source files and its initial weights, so that after a change to either it is trained
    anew. The file's header tells the recipe, its quality on validation images and torch's version. Processes that ask
    at once wait for the one that trains. A damaged file is trained anew. Weights and quality are told before anything
    else begins, with a warning where that is near chance.

    Args:
        name: see `kdzero_gp.models.build`.
        dataset: what it is trained on; gives the number of classes and channels.
        cache_dir: None means `$KDZERO_GP_CACHE`, or else `~/.cache/kdzero_gp`.
        weights: a checkpoint, or `own`: then nothing is trained or cached; `train` trains in any case; None finds out.
        recipe: of the training.
        seed: of the initialisation and of the order of the images.
        device: where the model shall be.
        spec: size and normalisation that it wants, where they are not the data set's.
        scores: path of the module that gives the class scores, where the network does not give them alone.
        kind: of task, by default classification.

    Returns:
        The model in evaluation mode; no parameter needs a gradient. It takes images as `spec` says.

    Raises:
        ModelError: unknown name, or weights that do not fit.
        ConfigError: a cache folder that cannot be written.
    """
    kind = kind or kind_of()
    adapt = network_input(spec, dataset)
    channels, height, width = adapt.shape

    def built(seed: int) -> nn.Module:
        with seeded(seed, device):
            return kind.build(name, dataset, in_channels=channels, image_size=(height, width))

    model = built(seed)
    origin = settle_origin(name, weights, model, lambda: built(seed + 1))
    handle = adapt.attach(model)
    with scores_alone(model, scores):
        if origin.how == "train":
            folder = cache_folder(cache_dir)
            path = folder / teacher_file(name, model, dataset, recipe, seed, adapt, kind)
            with FileLock(path.with_suffix(".lock")):
                quality = _restored(model, path, kind)
                if quality is None:
                    if is_user_model(name):
                        _log.warning("teacher %s is trained for %d epochs: %s", name, recipe.epochs, origin.reason)
                    kind.train_teacher(model, dataset.for_teacher(), recipe, seed=seed, device=device)
                    quality = _quality(model, dataset, kind)
                    _keep(model, path, name, dataset, recipe, seed, kind, quality)
        else:
            if origin.how == "file" and weights is not None:
                load_weights(model, weights)
            quality = _quality(model.to(device), dataset, kind)
    if handle is not None:
        handle.remove()
    report(name, origin, kind.quality, quality, dataset.val.labels)
    return model.to(device).eval().requires_grad_(False)


def _quality(model: nn.Module, dataset: Dataset, kind: TaskKind) -> float:
    return kind.network_measures(model, dataset, dataset.val)[kind.quality.key]


def teacher_file(
    name: str, model: nn.Module, dataset: Dataset, recipe: Recipe, seed: int, adapt: NetworkInput, kind: TaskKind
) -> str:
    """Names a teacher's file in the cache, with a hash of all that determines its weights.

    Args:
        model: with its initial weights.
    """
    content: str | list[str] = [source_digest(name, model), weights_digest(model)] if is_user_model(name) else name
    parts: list[object] = [_VERSION, content, dataset.num_classes, dataset.fingerprint(), asdict(recipe), seed]
    if not adapt.unchanged:
        parts.append(adapt.identity)
    if kind.name != DEFAULT:
        parts.append(kind.name)
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9_.]+", "_", f"{name}-{dataset.name}")[:60]
    return f"{readable}-{digest}.safetensors"


def _restored(model: nn.Module, path: Path, kind: TaskKind) -> float | None:
    """Loads a teacher from the cache; returns its quality on validation images, or None without a sound file."""
    if not path.exists():
        return None
    try:
        load_weights(model, path)
        with safe_open(path, "pt") as file:
            quality = float((file.metadata() or {})[f"val_{kind.quality.key}"])
        os.utime(path)  # what was used last is removed last
    except (ModelError, KeyError, ValueError, OSError, SafetensorError) as error:
        _log.warning("The cached teacher %s is damaged and is trained anew (%s)", path, error)
        return None
    return quality


def _keep(
    model: nn.Module, path: Path, name: str, dataset: Dataset, recipe: Recipe, seed: int, kind: TaskKind, quality: float
) -> None:
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
    """Writes a network's weights whole, with a header of texts, and makes room for them in the cache.

    Raises:
        ConfigError: the cache cannot be written.
    """
    # Copies, because tied weights share memory, which the format refuses.
    weights = {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}
    bound_cache(path.parent, sum(4 * tensor.numel() for tensor in weights.values()))
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
