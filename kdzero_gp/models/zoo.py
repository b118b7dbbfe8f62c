"""A model from its name: the built-in networks, or any the user brings."""

from __future__ import annotations

import difflib
import re

from torch import nn

from kdzero_gp.errors import ModelError
from kdzero_gp.models.cnn import Cnn
from kdzero_gp.models.resnet import RESNETS, ResNet
from kdzero_gp.models.user import build_user_model

_CNN = re.compile(r"cnn([1-9][0-9]{0,3})")


def build(name: str, *, num_classes: int, in_channels: int = 3) -> nn.Module:
    """The network called `name`, freshly initialised from torch's global random state.

    Args:
        name: a name out of `names()`, `cnnW` with any width W (`cnn2`, `cnn32`), or `package.module:factory`, which
            is imported and called as `factory(num_classes=…)`, with `in_channels=…` too where its signature has it.
        num_classes: K.
        in_channels: C of the images.

    Returns:
        A module that maps images (N, C, H, W) to class scores (N, K).

    Raises:
        ModelError: unknown name, or a factory that cannot be imported or gives no module.
    """
    if num_classes < 1 or in_channels < 1:
        raise ModelError(f"num_classes is {num_classes} and in_channels is {in_channels}, but both must be at least 1")
    if ":" in name:
        return build_user_model(name, num_classes=num_classes, in_channels=in_channels)
    if match := _CNN.fullmatch(name):
        return Cnn(int(match[1]), num_classes=num_classes, in_channels=in_channels)
    if name in RESNETS:
        depth, widths = RESNETS[name]
        return ResNet(depth, widths, num_classes=num_classes, in_channels=in_channels)
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ModelError(
        f"Unknown model '{name}'.{hint} Known: {', '.join(names())}, cnnW for any width W from 1 to 9999 "
        "(such as cnn12), or package.module:factory for a model of your own"
    )


def names() -> list[str]:
    """The names `build` knows, for lists and messages; `cnnW` exists for every width W, not only these."""
    return ["cnn2", "cnn4", "cnn8", "cnn16", "cnn32", *RESNETS]


def parameter_count(model: nn.Module) -> int:
    """The number of learnable numbers in `model`, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
