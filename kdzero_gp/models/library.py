"""`torchvision:NAME` and `timm:NAME`: classification networks of model libraries, always without weights.

A search must not depend on a download; published weights come as a file (`kdzero_gp.models.load_weights`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from kdzero_gp.errors import ModelError

_AUXILIARY = ("googlenet", "inception_v3")
"""Networks that give two results in training unless they are told not to."""


def build_library_model(library: str, name: str, *, num_classes: int, in_channels: int) -> nn.Module:
    """Builds the network that `library` (a key of `LIBRARIES`) knows as `name`, freshly initialised.

    Raises:
        ModelError: the library is not installed, does not know the name, or cannot build it for these images.
    """
    known, create = LIBRARIES[library]()
    plain = name.split(".")[0] if library == "timm" else name  # what follows the dot names pretrained weights
    if plain not in known:
        close = _close(plain, known)
        hint = f"; close to it are {', '.join(f'{library}:{other}' for other in close)}" if close else ""
        raise ModelError(f"{library} has no classification model '{name}' (it has {len(known)}){hint}")
    try:
        return create(plain, num_classes, in_channels)
    except ModelError:
        raise
    except Exception as error:  # a few networks of such large lists need arguments of their own
        raise ModelError(
            f"{library}:{name} cannot be built for {num_classes} classes and {in_channels} channels: "
            f"{type(error).__name__}: {error}; build it in a function of your own and name that as "
            "package.module:factory"
        ) from error


def _close(name: str, known: Sequence[str]) -> list[str]:
    """Up to three names that are like `name`, or begin like it: `deit_tiny` is short for what it means."""

    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, name, other[: len(name)]).ratio()

    if not name:
        return []
    ranked = sorted(known, key=lambda other: (-likeness(other), abs(len(other) - len(name))))
    return [other for other in ranked[:3] if likeness(other) >= 0.7]


Library = tuple[Sequence[str], Callable[[str, int, int], nn.Module]]


def _torchvision() -> Library:
    try:
        from torchvision import models
    except ImportError as error:
        raise ModelError(
            f"torchvision: models need torchvision, which cannot be imported ({error}); pip install torchvision"
        ) from error

    def create(name: str, num_classes: int, in_channels: int) -> nn.Module:
        if in_channels != 3:
            raise ModelError(
                f"torchvision:{name} takes images of 3 channels, but these have {in_channels}; timm:NAME takes any "
                "number"
            )
        options: dict[str, Any] = {"aux_logits": False, "init_weights": True} if name in _AUXILIARY else {}
        model: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **options)
        return model

    return models.list_models(module=models), create


def _timm() -> Library:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"timm: models need timm, which cannot be imported ({error}); pip install 'kdzero-gp[timm]'"
        ) from error

    def create(name: str, num_classes: int, in_channels: int) -> nn.Module:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels)
        return model

    return timm.list_models(), create


LIBRARIES: dict[str, Callable[[], Library]] = {"torchvision": _torchvision, "timm": _timm}
"""Libraries by the prefix of their models' names; called, each gives its names and a way to build one."""
