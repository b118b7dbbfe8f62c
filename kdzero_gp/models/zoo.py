"""A model from its name: the built-in networks, those of model libraries, or any the user brings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import partial

from torch import nn

from kdzero_gp.errors import ModelError
from kdzero_gp.models import deit, t2t_vit
from kdzero_gp.models.cnn import Cnn
from kdzero_gp.models.library import LIBRARIES, build_library_model
from kdzero_gp.models.mobilenetv2 import MobileNetV2
from kdzero_gp.models.resnet import RESNETS, ResNet
from kdzero_gp.models.resnet50 import ResNet50
from kdzero_gp.models.shufflenetv1 import ShuffleNetV1
from kdzero_gp.models.shufflenetv2 import ShuffleNetV2
from kdzero_gp.models.user import build_user_model
from kdzero_gp.models.vgg import VGGS, Vgg
from kdzero_gp.models.wide_resnet import WIDE_RESNETS, WideResNet

_CNN = re.compile(r"cnn([1-9][0-9]{0,3})")
_CONVOLUTIONAL: dict[str, Callable[..., nn.Module]] = {
    **{name: partial(ResNet, depth, widths) for name, (depth, widths) in RESNETS.items()},
    "resnet50": ResNet50,
    **{name: partial(WideResNet, depth, width) for name, (depth, width) in WIDE_RESNETS.items()},
    **{name: partial(Vgg, depths) for name, depths in VGGS.items()},
    "mobilenetv2": MobileNetV2,
    "shufflenetv1": ShuffleNetV1,
    "shufflenetv2": ShuffleNetV2,
}
_TRANSFORMERS: dict[str, tuple[Callable[..., nn.Module], tuple[int, int], int]] = {
    "deit_ti": (deit.DeitTiny, deit.SIZE, deit.PATCH),
    "t2t_vit_7": (t2t_vit.T2tVit7, t2t_vit.SIZE, t2t_vit.STRIDE),
}  # name -> class, the size it was designed for, and what sizes must be multiples of


def build(name: str, *, num_classes: int, in_channels: int = 3, image_size: tuple[int, int] | None = None) -> nn.Module:
    """The network called `name`, freshly initialised from torch's global random state.

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
    if match := _CNN.fullmatch(name):
        return Cnn(int(match[1]), num_classes=num_classes, in_channels=in_channels)
    if name in _CONVOLUTIONAL:
        return _CONVOLUTIONAL[name](num_classes=num_classes, in_channels=in_channels)
    if name in _TRANSFORMERS:
        factory, size, step = _TRANSFORMERS[name]
        height, width = image_size or size
        if height < step or width < step or height % step or width % step:
            raise ModelError(
                f"{name} is to take images of {height}x{width}, but both must be multiples of {step}, the size of its "
                f"patches; it was designed for {size[0]}x{size[1]}"
            )
        return factory(num_classes=num_classes, in_channels=in_channels, image_size=(height, width))
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ModelError(
        f"Unknown model '{name}'.{hint} Known: {', '.join(names())}, cnnW for any width W from 1 to 9999 "
        "(such as cnn12), torchvision:NAME, timm:NAME, or package.module:factory for a model of your own"
    )


def names() -> list[str]:
    """The names `build` knows, for lists and messages; `cnnW` exists for every width W, not only these."""
    return ["cnn2", "cnn4", "cnn8", "cnn16", "cnn32", *_CONVOLUTIONAL, *_TRANSFORMERS]


def input_size(name: str) -> tuple[int, int] | None:
    """The image size (H, W) that a network was designed for; None for those that take images as they come."""
    return _TRANSFORMERS[name][1] if name in _TRANSFORMERS else None


def parameter_count(model: nn.Module) -> int:
    """The number of learnable numbers in `model`, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
