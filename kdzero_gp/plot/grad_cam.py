"""Grad-CAM++ of any network whose taps are known, through the package grad-cam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError, TapError
from kdzero_gp.taps.find import SCORES
from kdzero_gp.taps.fold import folded
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Tap, Taps

Heat = NDArray[np.float32]
MOST_STEPS_BACK = 16
"""Modules before a tap that are tried where the scores do not depend on the tap's places."""


class Tapped(nn.Module):
    """A network whose tensor at a tap passes through `probe`, a module, so that it can be watched like one.

    A tap may be a module's input, one of several calls, or overwritten in place later on: all of that is gone at the
    probe. The graph begins there, so nothing before it is differentiated.

    Args:
        model: in evaluation mode.
        taps: of it.
        tap: a feature map of it.
        adapt: from images as the data set has them to the network's input.
    """

    def __init__(self, model: nn.Module, taps: Taps, tap: Tap, adapt: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.model = model
        self.probe = nn.Identity()
        self.tap = tap
        self._taps = taps
        self._adapt = adapt
        self._calls = 0

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        self._calls = 0
        module = self.model.get_submodule(self.tap.path)
        handle = (
            module.register_forward_hook(lambda _module, _inputs, output: self._through(output))
            if self.tap.side == "output"
            else module.register_forward_pre_hook(lambda _module, inputs: (self._through(inputs[0]), *inputs[1:]))
        )
        try:
            with torch.enable_grad(), TapReader(self.model, self._taps, (SCORES,)) as reader:
                return reader(images if self._adapt is None else self._adapt(images))[SCORES]
        finally:
            handle.remove()

    def _through(self, value: Any) -> Any:
        call, self._calls = self._calls, self._calls + 1
        if call != self.tap.call or not isinstance(value, Tensor):
            return value
        return self.probe(value.detach().requires_grad_()).clone()  # the clone may be overwritten, the probe's not


def grad_cam(network: Tapped, images: Tensor, classes: Tensor) -> Heat:
    """Computes where a network looks for a class: (N, H, W) of the images' size, each between 0 and 1.

    An image is all 0 where nothing at the tap speaks for the class.

    Args:
        images: (N, C, H, W).
        classes: (N,) int64.

    Raises:
        ConfigError: the package is not installed.

    Source: Chattopadhyay et al.: Grad-CAM++ (WACV 2018).
    """
    plus_plus, target = _package()
    with plus_plus(network.eval(), [network.probe], reshape_transform=lambda value: folded(value, network.tap)) as cam:
        heat = cam(images, [target(int(number)) for number in classes])
    network.zero_grad()
    found: Heat = np.clip(np.nan_to_num(np.asarray(heat, dtype=np.float32)), 0, 1)
    return found


def require_package() -> None:
    """Sees that grad-cam is there, before anything is computed.

    Raises:
        ConfigError: it is not.
    """
    _package()


def _package() -> tuple[Any, Any]:
    try:
        from pytorch_grad_cam import GradCAMPlusPlus
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        raise ConfigError(
            f"class activation maps need the package grad-cam, which cannot be imported ({error}); install it by "
            "pip install 'kdzero-gp[cam]'"
        ) from error
    return GradCAMPlusPlus, ClassifierOutputTarget


def watched(
    model: nn.Module, taps: Taps, stage: str | None, images: Tensor, adapt: Callable[[Tensor], Tensor] | None = None
) -> Tapped:
    """Watches the network at a stage, the last one by default.

    A transformer's scores depend on the last block's class token alone, and not on the places of the image. There the
    nearest tensor before the tap is watched that they do depend on, which is what enters the last attention.

    Raises:
        TapError: no such stage, or the scores do not depend on it.
    """
    if not taps.stages or (stage is not None and stage not in taps.stages):
        raise TapError(f"there is no feature map `{stage or 'stage1'}`; known are {', '.join(taps.stages) or 'none'}")
    tap = taps[stage or taps.stages[-1]]
    network = Tapped(model, taps, tap, adapt)
    if _matters(network, images):
        return network
    for earlier in _before(model, tap, images if adapt is None else adapt(images)):
        network = Tapped(model, taps, earlier, adapt)
        if _matters(network, images):
            return network
    raise TapError(f"the class scores do not depend on the feature map at {tap}; name another stage by --stage")


def _matters(network: Tapped, images: Tensor) -> bool:
    """Tells whether the scores' gradient reaches the places of the image."""
    seen: list[Tensor] = []
    handle = network.probe.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        scores = network(images)
    finally:
        handle.remove()
    if not seen or not scores.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(scores.square().sum(), seen[:1], allow_unused=True)
    return gradient is not None and bool(folded(gradient, network.tap).any())


def _before(model: nn.Module, tap: Tap, images: Tensor) -> Sequence[Tap]:
    """Lists the earlier outputs of the tap's shape, the nearest first."""
    found: list[tuple[str, int, tuple[int, ...]]] = []
    counts: dict[str, int] = {}
    ends: list[int] = []

    def keep(path: str, output: Any) -> None:
        call = counts[path] = counts.get(path, -1) + 1
        if isinstance(output, Tensor):
            found.append((path, call, tuple(output.shape)))
            if (path, call) == (tap.path, tap.call):
                ends.append(len(found) - 1)

    with torch.no_grad(), _hooked(model, keep):
        model(images)
    if not ends:
        return ()
    shape = found[ends[0]][2]
    earlier = [(path, call) for path, call, other in found[: ends[0]] if other == shape][::-1]
    return [replace(tap, path=path, call=call, side="output", clone=False) for path, call in earlier[:MOST_STEPS_BACK]]


@contextmanager
def _hooked(model: nn.Module, keep: Callable[[str, Any], None]) -> Iterator[None]:
    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _inputs, output: keep(path, output)

    handles = [module.register_forward_hook(hook(path)) for path, module in model.named_modules() if path]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
