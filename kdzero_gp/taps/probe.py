"""Probes which module outputs can be features: they follow the images and depend on parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kdzero_gp.taps.wrapped import bare, is_sharded, uncompiled

PARAMETRISATIONS = "parametrizations"
"""Where torch keeps what computes a weight from others."""

Place = tuple[str, int]
"""Path of a module, and which of its calls."""
Shape = tuple[int, ...]


@dataclass
class Probe:
    """The outputs of two passes: of the example, and of other images in another number.

    Attributes:
        first: shape of every module's output in the first pass.
        second: the same in the second; empty where that failed.
        learned: places whose output depends on a parameter; None where that cannot be told.
        samples: images in the first pass and in the second.
        resized: whether the network took images of twice the size in the second.
    """

    first: dict[Place, Shape] = field(default_factory=dict)
    second: dict[Place, Shape] = field(default_factory=dict)
    learned: set[Place] | None = None
    samples: tuple[int, int] = (1, 1)
    resized: bool = False

    def is_feature(self, path: str, call: int) -> bool:
        """Tells whether an output has a row for each image, follows its places, and depends on parameters."""
        place = path, call
        if PARAMETRISATIONS in path.split(".") or (self.learned is not None and place not in self.learned):
            return False
        first, second = self.first.get(place), self.second.get(place)
        if first is None or second is None:
            return True
        if len(first) != len(second) or (first[0], second[0]) != self.samples:
            return False
        return not self.resized or _follows(first, second) or (first == (first[0], *second[1:]) and self._beside(first))

    def _beside(self, shape: Shape) -> bool:
        """Tells whether a fixed-size map accompanies a growing one of equal size and at most its channels.

        A network may shrink larger images more.
        """
        if len(shape) != 4:
            return False
        for place, first in self.first.items():
            second = self.second.get(place)
            if second is None or len(first) != 4 or not _follows(first, second):
                continue
            if first[2:] == shape[2:] and first[1] <= shape[1]:
                return True
        return False


def probe(model: nn.Module, example: Tensor, run: Callable[[Callable[..., list[Any]]], Any]) -> Probe:
    """Watches every module's output in two passes.

    Args:
        model: in evaluation mode.
        example: (N, C, H, W).
        run: one pass of the example with the hooks that a function of path and module sets.

    Raises:
        TapError: what `run` raises; the second pass may fail.
    """
    inner = bare(model)
    found = Probe()
    reached = _Reached(inner) if _traceable(inner) else None
    learned: set[Place] = set()
    taken: list[Tensor] = []

    def note(place: Place, output: Tensor) -> None:
        found.first[place] = tuple(output.shape)
        if reached is not None and reached.holds(output):
            learned.add(place)

    def hooks(path: str, module: nn.Module) -> list[Any]:
        begin = [module.register_forward_pre_hook(lambda _, inputs: taken.extend(inputs[:1]))] if not path else []
        return [*begin, module.register_forward_hook(_noting(path, note))]

    run_mode: AbstractContextManager[object] = nullcontext() if reached is None else reached
    with run_mode:
        run(hooks)
    # A network without learned maps, such as a head on frozen pixels, is taken as it is.
    maps = {place for place, shape in found.first.items() if len(shape) in (3, 4)}
    found.learned = learned if learned & maps else None
    images = next((image for image in taken if isinstance(image, Tensor) and image.dim() == 4), example)
    _second_pass(inner, images, found)
    return found


def _second_pass(inner: nn.Module, images: Tensor, found: Probe) -> None:
    """Runs other images: another number of them and, where the network can, of twice the size."""
    count = 3 if len(images) != 3 else 2
    others = images[torch.arange(count, device=images.device) % len(images)]
    found.samples = len(images), count
    for resized in (True, False):
        shown = functional.interpolate(others, scale_factor=2.0) if resized else others
        found.second = {}
        handles = [
            module.register_forward_hook(_noting(path, lambda place, x: found.second.update({place: tuple(x.shape)})))
            for path, module in inner.named_modules()
            if path
        ]
        try:
            with torch.no_grad(), uncompiled(inner):
                # Not by a call: a hook of the network may bring images to the size it wants.
                inner(shown) if is_sharded(inner) else inner.forward(shown)
        except Exception:  # whatever a network raises that takes images of one size, or one number of them
            found.second = {}
            continue
        finally:
            for handle in handles:
                handle.remove()
        both = [(shape, found.second[place]) for place, shape in found.first.items() if place in found.second]
        # One that resizes its images itself shows the same maps at any size.
        found.resized = resized and any(one[1:] != two[1:] for one, two in both if len(one) == len(two) and one)
        return


def _follows(first: Shape, second: Shape) -> bool:
    """Tells whether a map grows with larger images, channels apart."""
    grown = [two > one for one, two in zip(first, second, strict=True)][1:]
    kept = [two == one for one, two in zip(first, second, strict=True)][1:]
    if len(first) == 4:
        return (kept[0] and grown[1] and grown[2]) or (grown[0] and grown[1] and kept[2])
    if len(first) == 3:
        return grown[0] and kept[1]
    return True


def _noting(path: str, note: Callable[[Place, Tensor], object]) -> Callable[[nn.Module, Any, Any], None]:
    calls = _counter()

    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        call = next(calls)
        if isinstance(output, Tensor):
            note((path, call), output)

    return hook


def _counter() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _traceable(model: nn.Module) -> bool:
    return not is_sharded(model) and any(True for _ in model.parameters())


class _Reached(TorchDispatchMode):
    """Follows, operation by operation, which tensors depend on a network's parameters.

    Not by gradients: parameters may be frozen, or of whole numbers.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._storages = {_storage(parameter) for parameter in model.parameters()}

    def holds(self, tensor: Tensor) -> bool:
        """Tells whether a tensor depends on a parameter."""
        return _storage(tensor) in self._storages

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if any(self.holds(tensor) for tensor in given):
            self._storages |= {_storage(tensor) for tensor in made}
        else:  # memory that another tensor had before
            self._storages -= {_storage(tensor) for tensor in made}
        return result


def _storage(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse tensors have none
        return id(tensor)
