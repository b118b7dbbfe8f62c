"""Finding a network's taps by watching one forward pass."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.tasks.tap import Tap, Taps
from kdzero_gp.tasks.tap_reader import version


@dataclass
class _Sight:
    """A tensor as it was when a module took it in or gave it out."""

    path: str
    call: int
    value: Tensor
    version: int

    def tap(self, name: str, side: Any = "output") -> Tap:
        shape = tuple(self.value.shape[1:])
        if not name.startswith("stage"):
            shape = (self.value[0].numel(),)
        return Tap(self.path, shape, side, self.call, clone=version(self.value) != self.version)


@dataclass
class _Watch:
    """What one forward pass showed."""

    stages: dict[tuple[int, int], _Sight] = field(default_factory=dict)  # last one per resolution, in order
    linears: list[tuple[_Sight, Tensor]] = field(default_factory=list)  # input, output
    outputs: dict[str, _Sight | str] = field(default_factory=dict)  # of overridden paths; a type's name if no tensor


def find_taps(model: nn.Module, example: Tensor, override: Mapping[str, str] | None = None) -> Taps:
    """The taps of `model`, found in one forward pass in evaluation mode without gradient.

    - `stage1 … stageK`: for each resolution (H, W) above 1x1 among the modules' 4-D outputs, in order of appearance,
      the last output. Of nested modules that give the same tensor that is the outermost.
    - `pool`: the input of the last linear layer that gives the logits, flattened to (N, D).
    - `logits`: the model's output.

    The model is left as it was: training modes, BatchNorm statistics and hooks included.

    Args:
        model: maps images to class scores (N, K).
        example: (N, C, H, W), as the model takes it and on its device; N = 1 will do.
        override: tap name to the path of the module whose output it shall be, such as {"stage2": "layer2.3"}. If the
            module runs several times, its last output. The stages must be numbered without gaps.

    Raises:
        TapError: the model fails on the example or gives no scores, no linear layer gives the logits, an override
            names an unknown tap or module, or a module whose output does not fit the tap.
    """
    override = dict(override or {})
    paths = _resolved(model, override)
    watch = _Watch()
    result = _watched_pass(model, example, watch, set(paths.values()))
    places: dict[str, Tap] = {
        f"stage{number}": sight.tap("stage") for number, sight in enumerate(watch.stages.values(), 1)
    }
    places |= {name: _overridden(name, paths[name], watch) for name in override}
    if "logits" not in places:
        places["logits"] = Tap("", _scores(result).shape[1:])
    if "pool" not in places:
        places["pool"] = _penultimate(watch, result, places["logits"])
    count = sum(name.startswith("stage") for name in places)
    order = [f"stage{number}" for number in range(1, count + 1)] + ["pool", "logits"]
    if missing := [name for name in order if name not in places]:
        given = ", ".join(name for name in places if name.startswith("stage"))
        raise TapError(f"There is no {missing[0]} among the stages {given}; number them from stage1 without gaps")
    return Taps(tuple((name, places[name]) for name in order))


def _resolved(model: nn.Module, override: Mapping[str, str]) -> dict[str, str]:
    """The path under which each overriding module is met first: a shared module has several."""
    modules = dict(model.named_modules(remove_duplicate=False))
    first = {module: path for path, module in model.named_modules()}
    for name, path in override.items():
        if not re.fullmatch(r"stage[1-9]\d*|pool|logits", name):
            raise TapError(f"Unknown tap '{name}'; taps are stage1, stage2, …, pool and logits")
        if path not in modules or not path:
            close = difflib.get_close_matches(path, [known for known in modules if known], n=3, cutoff=0.4)
            hint = f"; close to it are {', '.join(close)}" if close else "; see model.named_modules()"
            raise TapError(f"Tap '{name}' is set to '{path}', but {type(model).__name__} has no such module{hint}")
    return {name: first[modules[path]] for name, path in override.items()}


def _watched_pass(model: nn.Module, example: Tensor, watch: _Watch, wanted: set[str]) -> Any:
    modes = [(module, module.training) for module in model.modules()]
    handles = [
        module.register_forward_hook(_watcher(path, watch, path in wanted))
        for path, module in model.named_modules()
        if path
    ]
    try:
        model.eval()
        with torch.no_grad():
            return model(example)
    except Exception as error:  # whatever a user's model raises
        raise TapError(
            f"{type(model).__name__} failed on an example of shape {tuple(example.shape)} with {type(error).__name__}: "
            f"{error}. Check that it takes images of this size and number of channels"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training


def _watcher(path: str, watch: _Watch, wanted: bool) -> Callable[[nn.Module, Any, Any], None]:
    calls = 0

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal calls
        call, calls = calls, calls + 1
        if not isinstance(output, Tensor):
            if wanted:
                watch.outputs[path] = type(output).__name__
            return
        sight = _Sight(path, call, output, version(output))
        if wanted:
            watch.outputs[path] = sight
        if output.dim() == 4 and output.shape[2] * output.shape[3] > 1:
            watch.stages[output.shape[2], output.shape[3]] = sight
        if isinstance(module, nn.Linear) and inputs:
            watch.linears.append((_Sight(path, call, inputs[0], version(inputs[0])), output))

    return look


def _overridden(name: str, path: str, watch: _Watch) -> Tap:
    sight = watch.outputs.get(path)
    if sight is None:
        raise TapError(f"Tap '{name}' is set to '{path}', but that module does not run in a forward pass; take another")
    if isinstance(sight, str):
        raise TapError(
            f"Tap '{name}' is set to '{path}', whose output is a {sight}, but must be a tensor; take another"
        )
    shape = tuple(sight.value.shape)
    fits = {"stage": len(shape) == 4, "logit": len(shape) == 2}.get(name[:5], len(shape) >= 2)
    if not fits:
        needed = "(N, C, H, W)" if name.startswith("stage") else "(N, D)"
        raise TapError(f"Tap '{name}' is set to '{path}', whose output is {shape}, but must be {needed}; take another")
    return sight.tap(name)


def _scores(result: Any) -> Tensor:
    if isinstance(result, Tensor) and result.dim() == 2:
        return result
    found = f"a tensor of shape {tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"
    raise TapError(
        f"The model returns {found}, but must return class scores (N, K); wrap it in a module that does, or "
        "set the tap 'logits' to the module that gives them"
    )


def _penultimate(watch: _Watch, result: Any, logits: Tap) -> Tap:
    same = [
        source
        for source, output in watch.linears
        if isinstance(result, Tensor) and output.data_ptr() == result.data_ptr() and output.shape == result.shape
    ]
    # Scores that are rescaled after the classifier are another tensor of the same shape.
    alike = [source for source, output in watch.linears if tuple(output.shape[1:]) == logits.shape]
    if not same and not alike:
        raise TapError(
            "No linear layer gives the logits, so the penultimate vector is unknown; set the tap 'pool' to the module "
            "whose output it is"
        )
    return (same or alike)[-1].tap("pool", "input")
