"""Reading a network's taps in the forward pass it makes anyway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.fold import folded
from kdzero_gp.taps.tap import Tap, Taps


class TapReader:
    """Runs a model and returns what its taps saw: `knowledge = reader(images)`.

    Gradients flow through the tensors unless the caller runs under `torch.no_grad()`. Nothing is kept after a
    call. Hooks exist only on the taps that are read; `close()`, or leaving a `with` block, removes them. Not
    for use by two threads at once, nor while another call to the same model runs.

    Args:
        model: the network; its training mode is left as it is.
        taps: from `find_taps`, or one side of `match_taps`.
        names: what a call reads unless it says otherwise; None means every tap.
    """

    def __init__(self, model: nn.Module, taps: Taps, names: Iterable[str] | None = None) -> None:
        self.model = model
        self.taps = taps
        self._names: tuple[str, ...] = tuple(taps) if names is None else tuple(names)
        self._hooked: tuple[str, ...] | None = None
        self._handles: list[RemovableHandle] = []
        self._calls: list[int] = []
        self._seen: dict[str, tuple[Tensor, int]] = {}

    def __call__(self, images: Tensor, names: Iterable[str] | None = None) -> Knowledge:
        """One forward pass of `images` (N, C, H, W).

        Returns:
            The taps called `names`, in the order given, each of the shape that its role says.

        Raises:
            TapError: unknown tap, a tap that this pass did not reach, or one that was overwritten in place
                after all.
        """
        wanted = self._names if names is None else tuple(names)
        if wanted != self._hooked:
            self._hook(wanted)
        self._seen.clear()
        self._calls[:] = [0] * len(self._calls)
        try:
            scores = self.model(images)
            seen = {name: self._checked(name, scores) for name in wanted}
        finally:
            self._seen.clear()
        return Knowledge(**seen)

    def close(self) -> None:
        """Remove all hooks from the model; a later call sets them again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._calls.clear()
        self._hooked = None

    def __enter__(self) -> TapReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hook(self, names: tuple[str, ...]) -> None:
        self.close()
        modules = dict(self.model.named_modules(remove_duplicate=False))
        for name in names:
            if name not in self.taps:
                raise TapError(f"No tap '{name}' in this model; it has {', '.join(self.taps)}")
            tap = self.taps[name]
            if not tap.path:  # the model's own output needs no hook
                continue
            if tap.path not in modules:
                raise TapError(
                    f"Tap '{name}' is at '{tap.path}', but this model has no such module; find its taps anew"
                )
            self._handles.append(self._hook_one(modules[tap.path], name, tap))
        self._hooked = names

    def _hook_one(self, module: nn.Module, name: str, tap: Tap) -> RemovableHandle:
        calls, slot, seen = self._calls, len(self._calls), self._seen
        calls.append(0)

        def keep(value: Any) -> None:
            call, calls[slot] = calls[slot], calls[slot] + 1
            if call == tap.call and isinstance(value, Tensor):
                value = value.clone() if tap.clone else value
                seen[name] = value, version(value)

        if tap.side == "output":
            return module.register_forward_hook(lambda _module, _inputs, output: keep(output))
        return module.register_forward_pre_hook(lambda _module, inputs: keep(inputs[0] if inputs else None))

    def _checked(self, name: str, scores: Any) -> Tensor:
        tap = self.taps[name]
        if not tap.path and isinstance(scores, Tensor):
            return scores
        if name not in self._seen:
            raise TapError(
                f"Tap '{name}' ({tap}) was not reached in this forward pass, or is no tensor in it; the model takes "
                "another path than when its taps were found"
            )
        value, at_capture = self._seen[name]
        if version(value) != at_capture:
            raise TapError(
                f"Tap '{name}' ({tap}) was overwritten in place later in this forward pass, but not when its taps were "
                "found; tap the module that overwrites it (such as a Dropout(inplace=True)), or make that "
                "one not in-place"
            )
        if tap.role == "map":
            return folded(value, tap)
        return value.flatten(1) if tap.role in ("vector", "scores") else value


def version(value: Tensor) -> int:
    """How often the tensor was overwritten in place; tensors of inference mode do not count, and give 0."""
    return 0 if value.is_inference() else value._version
