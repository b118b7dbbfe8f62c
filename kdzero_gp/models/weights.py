"""Published or own weights into a model, with a readable report when they do not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from kdzero_gp.errors import ModelError

PREFIXES = ("module.", "_orig_mod.")  # left by DataParallel and torch.compile


CONTAINERS = ("state_dict", "model")


_SHOWN = 8  # keys of each kind in a report


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Loads a checkpoint into `model`; where a weight is missing or does not fit, the model stays unchanged.

    Takes `.safetensors`, and whatever `torch.load(weights_only=True)` reads: a state dict, or one under "state_dict" or
    "model". Prefixes `module.` and `_orig_mod.` are dropped where the model has none. BatchNorm's
    `num_batches_tracked`, absent from old checkpoints and without effect at the default momentum, may be missing.

    Raises:
        ModelError: no such file, no checkpoint, or missing, unexpected or mis-shaped keys.
    """
    path = Path(path)
    expected = model.state_dict()
    found = _without_prefixes(_state_dict(_read(path), path), expected, path)
    missing = [key for key in expected if key not in found and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in found if key not in expected]
    misshaped = [
        f"{key} {tuple(value.shape)} instead of {tuple(expected[key].shape)}"
        for key, value in found.items()
        if key in expected and value.shape != expected[key].shape
    ]
    if missing or unexpected or misshaped:
        raise ModelError(
            f"the weights in {path} do not fit {type(model).__name__} "
            f"({len(expected)} entries in the model, {len(found)} in the file):"
            + _listed("missing in the file", missing)
            + _listed("in the file, but not in the model", unexpected)
            + _listed("of another shape in the file", misshaped)
            + "\nCheck that the model's name, its number of classes and its input channels are those of the checkpoint"
        )
    model.load_state_dict({**expected, **found})


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"there is no weights file {path}; give the path of a .pt, .pth or .safetensors file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, KeyError, EOFError, OSError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path} cannot be read as a checkpoint ({reason}); it may be truncated: get it again"
        ) from error
    except Exception as error:  # torch's refusal of Python objects, of a class that only the refused module has
        raise ModelError(
            f"{path} is no checkpoint of tensors alone: it is damaged, or holds Python objects, which could run any "
            "code when loaded and are refused. Save it anew with torch.save(model.state_dict(), path)"
        ) from error


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    for container in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(container), Mapping):
            content = content[container]
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__}, but must hold a state dict of names and tensors")
    strange = [str(key) for key, value in content.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange or not content:
        what = f"these are no tensors: {', '.join(strange[:_SHOWN])}" if strange else "it is empty"
        raise ModelError(
            f"{path} must hold a state dict of names and tensors (at top level or under {' or '.join(CONTAINERS)}), "
            f"but {what}"
        )
    return dict(content)


def _without_prefixes(found: dict[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, value in found.items():
        name = key
        while name not in expected and name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        if name in renamed:
            raise ModelError(f"{path} holds '{name}' twice, once as '{key}'; keep one of them")
        renamed[name] = value
    return renamed


def _listed(title: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f", and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"\n  {len(keys)} {title}: {', '.join(keys[:_SHOWN])}{more}"


def weights_digest(model: nn.Module) -> str:
    """Gives 16 hex digits of a network's weights and buffers, by their names."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
