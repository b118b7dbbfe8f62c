"""Watches one forward pass of a network for its feature maps, token blocks and linear layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.taps.fold import Size, stated_prefix, token_grid
from kdzero_gp.taps.probe import Probe, probe
from kdzero_gp.taps.tap import Layout, Role, Tap
from kdzero_gp.taps.unchanged import evaluating, unchanged, version
from kdzero_gp.taps.wrapped import bare, is_sharded, require_readable, uncompiled


@dataclass(eq=False)
class Sight:
    """A tensor at the input or output of a module."""

    path: str
    call: int
    value: Tensor
    version: int
    layout: Layout = "map"
    prefix: int = 0
    grid: Size = (1, 1)  # (H, W) of a map

    def tap(self, role: Role, side: Any = "output", why: str = "") -> Tap:
        """Makes the tap that reads the tensor in this role, with the reason for it."""
        clone = version(self.value) != self.version
        if role != "map":
            return Tap(self.path, (self.value[0].numel(),), role, side, self.call, clone, why=why)
        channels = self.value.shape[1] if self.layout == "map" else self.value.shape[-1]
        return Tap(self.path, (channels, *self.grid), role, side, self.call, clone, self.layout, self.prefix, why)


@dataclass
class Watch:
    """The record of one forward pass.

    Attributes:
        maps: the last feature map of each resolution (H, W) above 1x1, in order of appearance.
        blocks: outputs of the encoder blocks of a transformer whose tokens lie on a grid, in order.
        linears: what each linear layer took and gave.
        outputs: of the modules that were asked for; the name of a type where one is no tensor.
        image: (H, W) of what the network got.
        samples: N of it.
        prefix: tokens before those of the image, where the network tells it.
    """

    maps: dict[Size, Sight] = field(default_factory=dict)
    blocks: list[Sight] = field(default_factory=list)
    linears: list[tuple[Sight, Tensor]] = field(default_factory=list)
    outputs: dict[str, Sight | str] = field(default_factory=dict)
    image: Size = (1, 1)
    samples: int = 1
    prefix: int | None = None

    def located(self, sight: Sight, channels_last: set[tuple[int, ...]]) -> bool:
        """Finds the layout of a tensor over the image, if it has one; `channels_last` are the shapes known to be so."""
        shape = tuple(sight.value.shape)
        if len(shape) == 4:
            # A cube may be either; maps (N, C, H, W) are far more common.
            sight.layout = "channels_last" if shape[1:] in channels_last and len(set(shape[1:])) > 1 else "map"
            sight.grid = shape[1:3] if sight.layout == "channels_last" else shape[2:4]
            return True
        grid = token_grid(shape[1], self.image, self.prefix) if len(shape) == 3 else None
        if grid is None:
            return False
        sight.layout, (sight.prefix, sight.grid) = "tokens", grid
        return True


def watched_pass(model: nn.Module, example: Tensor, wanted: set[str]) -> tuple[Any, Watch]:
    """Runs and records one forward pass in evaluation mode without gradient; the model is left as it was.

    Args:
        wanted: paths of modules whose outputs are kept in any case.

    Returns:
        What the model gave, and what was seen.

    Raises:
        TapError: the model fails on the example.
    """
    require_readable(model)
    shapes: set[tuple[int, ...]] = set()
    inner = bare(model)
    with unchanged(model), evaluating(model):

        def first_look(more: Hooks) -> Any:
            def hooks(path: str, module: nn.Module) -> list[Any]:
                return [module.register_forward_hook(_note_channels_last(shapes)), *more(path, module)]

            return hooked_pass(model, example, hooks)

        seen = probe(model, example, first_look)
        watch = Watch(prefix=stated_prefix(inner))
        spectator = _Spectator(inner, watch, shapes, wanted, seen)
        result = hooked_pass(model, example, spectator.hooks)
    return result, watch


Hooks = Callable[[str, nn.Module], list[Any]]
"""Sets the hooks of a module at its path."""


def hooked_pass(model: nn.Module, example: Tensor, hooks: Hooks) -> Any:
    """Runs one forward pass without gradient, with hooks on every module.

    Raises:
        TapError: the model fails on the example.
    """
    inner = bare(model)
    handles = [handle for path, module in inner.named_modules() for handle in hooks(path, module)]
    try:
        with torch.no_grad(), uncompiled(model):
            # Not the wrapper: what it sends to other processes is no part of the network.
            return model(example) if is_sharded(model) else inner(example)
    except Exception as error:  # whatever a user's model raises
        raise TapError(
            f"{type(inner).__name__} failed on an example of shape {tuple(example.shape)} with {type(error).__name__}: "
            f"{error}. Check that it takes images of this size and number of channels"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


def _note_channels_last(shapes: set[tuple[int, ...]]) -> Callable[[nn.Module, Any, Any], None]:
    """Linear layers and layer norms of one dimension work on the last one: their 4-D outputs are (N, H, W, C)."""

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or output.dim() != 4:
            return
        normed = isinstance(module, nn.LayerNorm) and module.normalized_shape == (output.shape[3],)
        # A layer norm that permutes within itself, as ConvNeXt's, gives (N, C, H, W).
        if isinstance(module, nn.Linear) or (normed and output.shape[1] != output.shape[3]):
            shapes.add(tuple(output.shape[1:]))

    return note


@dataclass
class _Frame:
    """A running module: its input, and the record at its start."""

    taken: Tensor | None
    maps: dict[Size, Sight]
    blocks: int


class _Spectator:
    """Fills a `Watch` by hooks on all modules."""

    def __init__(
        self, model: nn.Module, watch: Watch, channels_last: set[tuple[int, ...]], wanted: set[str], seen: Probe
    ) -> None:
        self._modules = dict(model.named_modules())
        self._watch, self._channels_last, self._wanted, self._seen = watch, channels_last, wanted, seen
        self._calls: dict[str, int] = {}
        self._running: list[_Frame] = []

    def hooks(self, path: str, module: nn.Module) -> list[Any]:
        """Sets the hooks of one module."""
        if not path:
            return [module.register_forward_pre_hook(self._begin)]

        def enter(module: nn.Module, inputs: Any) -> None:
            taken = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            self._running.append(_Frame(taken, dict(self._watch.maps), len(self._watch.blocks)))

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            frame = self._running.pop()
            self._calls[path] = call = self._calls.get(path, -1) + 1
            self._look(path, call, module, frame, output)

        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]

    def _begin(self, model: nn.Module, inputs: Any) -> None:
        images = inputs[0]
        self._watch.samples, self._watch.image = len(images), tuple(images.shape[2:4])

    def _look(self, path: str, call: int, module: nn.Module, frame: _Frame, output: Any) -> None:
        if not isinstance(output, Tensor):
            if path in self._wanted:
                self._watch.outputs[path] = type(output).__name__
            return
        sight = Sight(path, call, output, version(output))
        ours = output.dim() in (3, 4) and len(output) == self._watch.samples
        located = ours and self._watch.located(sight, self._channels_last)
        if path in self._wanted:
            self._watch.outputs[path] = sight
        # Inside a layer that works on tokens, 4-D tensors are attention scores, and the like.
        among_tokens = any(outer.taken is not None and outer.taken.dim() == 3 for outer in self._running)
        feature = located and self._seen.is_feature(path, call)
        if feature and output.dim() == 4 and not among_tokens:
            if max(sight.grid) > 1:
                self._keep_map(sight)
            self._forget_beginnings(module, frame, sight)
        if feature and output.dim() == 3 and max(sight.grid) > 1:
            self._keep_block(module, frame, sight)
        if frame.taken is not None and (isinstance(module, nn.Linear) or _is_linear(module, frame.taken, output)):
            self._watch.linears.append((Sight(path, call, frame.taken, version(frame.taken)), output))

    def _keep_map(self, sight: Sight) -> None:
        """Keeps a map as the last of its resolution.

        One that first appears after a smaller one is no stage: it was enlarged, or cut into windows.
        """
        maps = self._watch.maps
        if sight.grid in maps or all(_places(sight.grid) < _places(size) for size in maps):
            maps[sight.grid] = sight

    def _forget_beginnings(self, module: nn.Module, frame: _Frame, sight: Sight) -> None:
        """Drops the maps at the beginning of a block that goes from one resolution to the next.

        What it computes there (a bottleneck, an expansion) is no longer the stage before, whose end has been seen.
        """
        if frame.taken is None or frame.taken.dim() != 4 or not any(True for _ in module.children()):
            return
        begun = Sight("", 0, frame.taken, 0)
        self._watch.located(begun, self._channels_last)
        maps = self._watch.maps
        changed = {size for size, last in maps.items() if frame.maps.get(size) is not last}
        if begun.grid in frame.maps and begun.grid != sight.grid and changed <= {begun.grid, sight.grid}:
            maps[begun.grid] = frame.maps[begun.grid]

    def _keep_block(self, module: nn.Module, frame: _Frame, sight: Sight) -> None:
        """Keeps the output of one of several layers in a row that take tokens and give as many of the same width."""
        row = self._modules.get(sight.path.rpartition(".")[0])
        alike = frame.taken is not None and frame.taken.shape == sight.value.shape
        if not alike or not isinstance(row, nn.ModuleList | nn.Sequential) or not any(True for _ in module.children()):
            return
        blocks = self._watch.blocks
        if isinstance(module, nn.Sequential) and len(blocks) - frame.blocks > 1:
            return  # itself such a row
        del blocks[frame.blocks :]  # parts of this one
        blocks.append(sight)


def _places(grid: Size) -> int:
    return grid[0] * grid[1]


def _is_linear(module: nn.Module, taken: Tensor, output: Tensor) -> bool:
    """Tells whether it is a convolution that works on vectors: some networks classify with one."""
    on_vectors = taken.dim() == 4 == output.dim() and taken.shape[2:] == output.shape[2:] == (1, 1)
    return on_vectors and isinstance(module, nn.Conv2d)
