"""Reads a network's taps during its forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.fold import folded
from kdzero_gp.taps.tap import Tap, Taps
from kdzero_gp.taps.unchanged import version
from kdzero_gp.taps.wrapped import bare, require_readable, uncompiled

POOL: Final = "pool"
NO_POOL = (
    "no linear layer gives the logits, so the penultimate vector is unknown: set the tap 'pool' to the module whose "
    "output it is"
)


class TapReader:
    """Runs a model and returns its taps: `knowledge = reader(images)`.

    Gradients flow through the tensors unless the caller runs under `torch.no_grad()`. Nothing is kept after a
    call: hooks exist only while it runs, on the taps that are read, so between two calls the model can be saved, copied
    and compiled as if nobody read it. A compiled model runs as it was written while maps or vectors are read. Not
    for use by two threads at once, nor while another call to the same model runs.

    Args:
        model: the network, also in `torch.compile` or a data-parallel wrapper; its training mode is left as it is.
        taps: from `find_taps`, or one side of `match_taps`.
        names: what a call reads unless it says otherwise; None means every tap.

    Raises:
        TapError: a wrapper whose copies run at once.
    """

    def __init__(self, model: nn.Module, taps: Taps, names: Iterable[str] | None = None) -> None:
        require_readable(model)
        self.model = model
        self.taps = taps
        self._names: tuple[str, ...] = tuple(taps) if names is None else tuple(names)

    def __call__(self, images: Tensor, names: Iterable[str] | None = None) -> Knowledge:
        """Makes one forward pass of `images` (N, C, H, W).

        Returns:
            The taps called `names`, in the order given, each of the shape that its role says.

        Raises:
            TapError: unknown tap, a tap that this pass did not reach, one that was overwritten in place
                after all, or one that was computed without the gradient that the caller wants.
        """
        wanted = self._names if names is None else tuple(names)
        sights = {name: _Sight(name, self._tap(name), torch.is_grad_enabled()) for name in wanted}
        handles: list[RemovableHandle] = []
        modules = dict(bare(self.model).named_modules(remove_duplicate=False))
        try:
            for sight in sights.values():
                if sight.tap.path:  # the model's own output needs no hook
                    handles += sight.hooks(modules)
            with uncompiled(self.model) if handles else nullcontext():
                output = self.model(images)
        finally:
            for handle in handles:
                handle.remove()
        return Knowledge(**{name: sight.checked(output, self.model, images) for name, sight in sights.items()})

    def close(self) -> None:
        """Does nothing: no hook outlives a call."""

    def _tap(self, name: str) -> Tap:
        if name in self.taps:
            return self.taps[name]
        hint = f"; {NO_POOL}" if name == POOL else ""
        raise TapError(f"No tap '{name}' in this model; it has {', '.join(self.taps)}{hint}")

    def __enter__(self) -> TapReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Sight:
    """The tensor of one tap in one pass."""

    def __init__(self, name: str, tap: Tap, graded: bool) -> None:
        self.name, self.tap, self.graded = name, tap, graded
        self._calls = 0
        self._seen: tuple[Tensor, int] | None = None
        self._ungraded = False
        self._before: Tensor | None = None

    def hooks(self, modules: Mapping[str, nn.Module]) -> list[RemovableHandle]:
        """Sets the hooks of this pass."""
        path = self.tap.path
        if path not in modules:
            raise TapError(f"Tap '{self.name}' is at '{path}', but this model has no such module; find its taps anew")
        if self.tap.side == "input":
            return [
                modules[path].register_forward_pre_hook(lambda _, inputs: self._keep(inputs[0] if inputs else None))
            ]
        handles = [modules[path].register_forward_hook(lambda _module, _inputs, output: self._keep(output))]
        for earlier in _earlier_siblings(path, modules):
            handles.append(earlier.register_forward_hook(lambda _module, _inputs, output: self._pass_by(output)))
        return handles

    def _keep(self, value: Any) -> None:
        call, self._calls = self._calls, self._calls + 1
        if call == self.tap.call and isinstance(value, Tensor):
            value = value.clone() if self.tap.clone else value
            self._seen = value, version(value)
            self._ungraded = self.graded and not torch.is_grad_enabled()

    def _pass_by(self, value: Any) -> None:
        self._before = value if isinstance(value, Tensor) else None

    def checked(self, output: Any, model: nn.Module, images: Tensor) -> Tensor:
        """Gives the tensor of the tap, checked by its role."""
        if not self.tap.path and isinstance(output, Tensor):
            return output
        # A layer that a network leaves out at random while it trains hands on what it would have got.
        skipped = self._before if model.training and self.tap.call == 0 and _same_form(self._before, self.tap) else None
        if self._seen is None and skipped is not None:
            self._seen = skipped, version(skipped)
        if self._seen is None:
            raise TapError(
                f"Tap '{self.name}' ({self.tap}) was not reached in this forward pass, or is no tensor in it; the "
                f"model takes another path than when its taps were found{told(self.tap, output)}"
            )
        value, at_capture = self._seen
        if self._ungraded:
            raise TapError(
                f"Tap '{self.name}' ({self.tap}) was computed without gradient, so that nothing could be learned "
                "through it: it lies in a reentrant checkpoint or under torch.no_grad(). Call "
                "torch.utils.checkpoint.checkpoint with use_reentrant=False, or tap a module outside"
            )
        if version(value) != at_capture:
            raise TapError(
                f"Tap '{self.name}' ({self.tap}) was overwritten in place later in this forward pass, but not when its "
                "taps were found; tap the module that overwrites it (such as a Dropout(inplace=True)), or make that "
                "one not in-place"
            )
        if self.tap.role == "map":
            return folded(value, self.tap, (images.shape[2], images.shape[3]))
        return value.flatten(1) if self.tap.role in ("vector", "scores") else value


def _earlier_siblings(path: str, modules: Mapping[str, nn.Module]) -> list[nn.Module]:
    """Lists the earlier modules of its row, some of which a network may skip."""
    parent, _, own = path.rpartition(".")
    if not own.isdigit() or not isinstance(modules[parent], nn.ModuleList):
        return []
    return [modules[f"{parent}.{number}"] for number in range(int(own)) if f"{parent}.{number}" in modules]


def _same_form(value: Tensor | None, tap: Tap) -> bool:
    if value is None or tap.role != "map":
        return False
    if tap.layout == "map":
        return value.dim() == 4 and tuple(value.shape[1:]) == tap.shape
    return value.shape[-1] == tap.shape[0]


def told(tap: Tap, output: Any) -> str:
    """Explains an output that is no scores, with the option to type; empty for other taps."""
    if tap.path or isinstance(output, Tensor):
        return ""
    return f": it gives {form_of(output)}. {OTHER_SCORES}"


def form_of(output: Any) -> str:
    """Describes a network's output for people."""
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with {', '.join(map(str, output))}"
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {len(output)} ({', '.join(form_of(part) for part in output[:4])})"
    return f"a {type(output).__name__}"


OTHER_SCORES = (
    "Set the tap 'logits' to the module that gives the class scores (--taps logits=MODULE), or let the model return "
    "them alone"
)
