"""Reduces the output of a network to its class scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.taps.wrapped import bare, uncompiled


@contextmanager
def scores_alone(model: nn.Module, path: str | None) -> Iterator[None]:
    """Makes a call of the network return the output of one module inside the block.

    Args:
        model: returns a tuple, a mapping or an object that holds class scores among other things.
        path: of the module whose output they are, as `--taps logits=PATH` sets it; None leaves the network as it is.

    Raises:
        TapError: there is no such module, or it gave no tensor.
    """
    if path is None:
        yield
        return
    inner = bare(model)
    modules = dict(inner.named_modules(remove_duplicate=False))
    if path not in modules:
        raise TapError(f"Tap 'logits' is set to '{path}', but {type(inner).__name__} has no such module")
    seen: list[Any] = []

    def give(module: nn.Module, inputs: Any, output: Any) -> Tensor:
        scores = seen[-1] if seen else None
        seen.clear()
        if not isinstance(scores, Tensor):
            raise TapError(f"Tap 'logits' is set to '{path}', which gave no tensor in this forward pass")
        return scores

    handles = [
        modules[path].register_forward_hook(lambda _module, _inputs, output: seen.append(output)),
        inner.register_forward_hook(give),
    ]
    try:
        with uncompiled(model):
            yield
    finally:
        for handle in handles:
            handle.remove()
