"""The anatomy of a network beside its taps: maps before their last ReLU, norms, attention, parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kdzero_gp.taps.tap import Role, Tap, Taps
from kdzero_gp.taps.unchanged import evaluating, unchanged, version
from kdzero_gp.taps.watch import hooked_pass

HEAD = "head"
"""The part of a network behind its last stage."""
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)


@dataclass(frozen=True)
class Anatomy:
    """The parts that `find_anatomy` found in one network.

    Attributes:
        extra: taps by name: `stem`, `pre1 … preK`, `attn1 … attnB`.
        norms: for `preK` the path of the normalisation that feeds the ReLU behind it.
        heads: for `attnB` the number of its heads.
        parts: names of the parameters that compute each stage from the one before it, in the order of the stages, and
            those behind the last as `head`.
        missing: why a tap or norm is not there, by its name.
    """

    extra: Mapping[str, Tap] = field(default_factory=dict)
    norms: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def find_anatomy(model: nn.Module, example: Tensor, taps: Taps) -> Anatomy:
    """Watches one forward pass in evaluation mode without gradient; the model is left as it was.

    - `stem`: the first activation's map.
    - `preK`: `stageK` before the activation that ends it. Where the stage is a sum that the next block normalises and
      activates (pre-activation networks) that block's input to its activation; where nothing activates it (the linear
      bottleneck of MobileNetV2) the stage itself.
    - `attnB`: queries, keys and values (N, L, 3·D) side by side, as block B's one linear layer for them gives them.

    Args:
        example: (N, C, H, W), as the model takes it and on its device.
        taps: the network's, stages among them.

    Raises:
        TapError: the model fails on the example.
    """
    record = _Record(model)
    with unchanged(model), evaluating(model):
        hooked_pass(model, example, record.hooks)
    extra: dict[str, Tap] = {}
    norms: dict[str, str] = {}
    missing: dict[str, str] = {}
    stem = next((call for call in record.calls if call.activates and _is_map(call.given)), None)
    if stem is not None and stem.given is not None:
        extra["stem"] = stem.tap("output")
    else:
        missing["stem"] = "no module of it activates a feature map"
    ends: dict[str, int] = {}
    for stage in taps.stages:
        name = f"pre{stage.removeprefix('stage')}"
        end = record.at(taps[stage])
        ends[stage] = end.ended
        found = _before_activation(record, end, taps[stage])
        if found is None:
            missing[name] = f"no module of it activates `{stage}` ({taps[stage]}), so it is not known before its ReLU"
            missing[f"norm of {name}"] = missing[name]
            continue
        extra[name], norm = found
        if norm is None:
            missing[f"norm of {name}"] = f"no normalisation with the channels of `{stage}` feeds its ReLU"
        else:
            norms[name] = norm
    heads = {}
    for number, (call, count) in enumerate(_attention(record, model), 1):
        extra[f"attn{number}"] = call.tap("output")
        heads[f"attn{number}"] = count
    return Anatomy(extra, norms, heads, _parts(record, model, ends), missing)


@dataclass(eq=False)
class _Call:
    """One call of a module: input, output and time."""

    path: str
    number: int
    module: nn.Module
    began: int
    taken: Tensor | None
    taken_version: int
    ended: int = -1
    given: Tensor | None = None
    given_version: int = 0

    @property
    def activates(self) -> bool:
        return isinstance(self.module, ACTIVATIONS)

    def tap(self, side: Literal["output", "input"]) -> Tap:
        """Makes the tap of the call's input or output, copied where the network overwrites it later on."""
        value, before = (self.taken, self.taken_version) if side == "input" else (self.given, self.given_version)
        if value is None:
            raise AssertionError(f"{self.path} handles no tensor")
        role: Role = "rows" if value.dim() == 3 else "map"
        return Tap(self.path, tuple(value.shape[1:]), role, side, self.number, version(value) != before)


class _Record:
    """All calls of a network's modules in one forward pass."""

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[_Call] = []
        self._running: list[_Call] = []
        self._numbers: dict[str, int] = {}
        self._clock = 0

    def hooks(self, path: str, module: nn.Module) -> list[Any]:
        """Sets the hooks of one module."""

        def enter(module: nn.Module, inputs: Any) -> None:
            taken = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            number = self._numbers[path] = self._numbers.get(path, -1) + 1
            self._clock += 1
            call = _Call(path, number, module, self._clock, taken, 0 if taken is None else version(taken))
            self.calls.append(call)
            self._running.append(call)

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            call = self._running.pop()
            self._clock += 1
            call.ended = self._clock
            if isinstance(output, Tensor):
                call.given, call.given_version = output, version(output)

        return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]

    def at(self, tap: Tap) -> _Call:
        """Finds the call that a tap reads."""
        return next(call for call in self.calls if call.path == tap.path and call.number == tap.call)

    def last(self, wanted: Callable[[_Call], bool], before: int) -> _Call | None:
        """Finds the latest call that had ended at a time."""
        found = [call for call in self.calls if call.ended <= before and wanted(call)]
        return max(found, key=lambda call: call.ended, default=None)


def _before_activation(record: _Record, stage: _Call, tap: Tap) -> tuple[Tap, str | None] | None:
    """Finds the tap before the activation at a stage's end, and the path of its norm."""

    def norm_before(moment: int, shape: torch.Size) -> str | None:
        found = record.last(
            lambda call: isinstance(call.module, NORMS) and call.given is not None and call.given.shape == shape, moment
        )
        return None if found is None else found.path

    value = stage.given
    if value is None:
        return None
    activation = record.last(lambda call: call.activates and call.given is value, stage.ended)
    if activation is None:
        following = next((c for c in record.calls if isinstance(c.module, NORMS) and c.taken is value), None)
        activation = next((c for c in record.calls if following and c.activates and c.taken is following.given), None)
    if activation is not None and activation.taken is not None:
        return activation.tap("input"), norm_before(activation.began, activation.taken.shape)
    if bool((value < 0).any()):  # no ReLU gave it
        return tap, norm_before(stage.ended, value.shape)
    return None


def _attention(record: _Record, model: nn.Module) -> Iterator[tuple[_Call, int]]:
    """Finds the linear layers of queries, keys and values, with the number of heads."""
    modules = dict(model.named_modules(remove_duplicate=False))
    for call in record.calls:
        owner = modules[call.path.rpartition(".")[0]]
        count = getattr(owner, "num_heads", getattr(owner, "heads", None))
        if not isinstance(call.module, nn.Linear) or not isinstance(count, int) or call.taken is None:
            continue
        given = call.given
        if given is not None and given.dim() == 3 and given.shape[2] == 3 * call.taken.shape[2]:
            yield call, count


def _parts(record: _Record, model: nn.Module, ends: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    first: dict[nn.Module, int] = {}
    for call in record.calls:
        if next(call.module.parameters(recurse=False), None) is not None:
            first.setdefault(call.module, call.began)
    owners = dict(model.named_modules())
    bounds = [0, *ends.values(), record.calls[0].ended]
    parts: dict[str, list[str]] = {name: [] for name in (*ends, HEAD)}
    for name, _ in model.named_parameters():
        began = first.get(owners[name.rpartition(".")[0]], bounds[-1])
        for part, (start, end) in zip(parts, pairwise(bounds), strict=True):
            if start < began <= end:
                parts[part].append(name)
                break
    return {part: tuple(names) for part, names in parts.items()}


def _is_map(value: Tensor | None) -> bool:
    return value is not None and value.dim() == 4 and max(value.shape[2:]) > 1
