"""A model from its name: this package's networks, those of model libraries, or any the user brings."""

from __future__ import annotations

import difflib

from torch import nn

from kdzero_gp.errors import ModelError
from kdzero_gp.models.library import LIBRARIES, build_library_model
from kdzero_gp.models.network import FAMILIES, NETWORKS, find_network
from kdzero_gp.models.user import build_user_model


def build(name: str, *, num_classes: int, in_channels: int = 3, image_size: tuple[int, int] | None = None) -> nn.Module:
    """Builds the network called `name`, freshly initialised from torch's global random state.

    Args:
        name: a name out of `names()`; `cnnW` with any width W (`cnn2`, `cnn32`); `torchvision:NAME` or `timm:NAME`,
            without weights; or `package.module:factory`, which is imported and called as `factory(num_classes=…)`,
            with `in_channels=…` and `image_size=(H, W)` too where its signature has them.
        num_classes: K.
        in_channels: C of the images.
        image_size: (H, W) of the images, for networks that are built for one size; None is what `input_size` says.

    Returns:
        A module that maps images (N, C, H, W) to class scores (N, K).

    Raises:
        ModelError: unknown name, a library that is not installed, or a factory that cannot be imported or gives no
            module.
    """
    if num_classes < 1 or in_channels < 1:
        raise ModelError(f"num_classes is {num_classes} and in_channels is {in_channels}, but both must be at least 1")
    library, colon, entry = name.partition(":")
    if colon and library in LIBRARIES:
        return build_library_model(library, entry, num_classes=num_classes, in_channels=in_channels)
    if colon:
        return build_user_model(name, num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    if (network := find_network(name)) is not None:
        return network.build(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ModelError(
        f"unknown model '{name}'.{hint} Known: {', '.join([*names(), *FAMILIES])}, torchvision:NAME, timm:NAME, or "
        "package.module:factory for a model of your own"
    )


def names() -> list[str]:
    """Lists the names `build` knows, for lists and messages; a family such as `cnnW` has more than these."""
    return list(NETWORKS)


def input_size(name: str) -> tuple[int, int] | None:
    """Tells the image size (H, W) that a network was designed for; None for those that take images as they come."""
    network = find_network(name)
    return None if network is None else network.size


def parameter_count(model: nn.Module) -> int:
    """Counts the learnable numbers in `model`, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
