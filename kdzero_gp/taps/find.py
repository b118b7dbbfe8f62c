"""Finding a network's taps by watching one forward pass."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from kdzero_gp.errors import TapError
from kdzero_gp.taps.read import POOL, form_of
from kdzero_gp.taps.tap import Role, Tap, Taps
from kdzero_gp.taps.watch import Sight, Watch, watched_pass
from kdzero_gp.taps.wrapped import bare

SCORES = "logits"
"""Name of the class scores, as `pool` is of the penultimate vector; feature maps are stage1 … stageK."""
ROLES: dict[str, Role] = {POOL: "vector", SCORES: "scores"}
DEPTHS = 3
"""Stages of a transformer whose blocks all work on one resolution, unless its partner has another number."""


def find_taps(
    model: nn.Module, example: Tensor, override: Mapping[str, str] | None = None, *, depths: int = DEPTHS
) -> Taps:
    """Finds the taps of `model` in one forward pass in evaluation mode without gradient.

    - `stage1 … stageK`: for each resolution (H, W) above 1x1 among the modules' 4-D outputs, in order of appearance,
      the last output; each smaller than those before. Of nested modules that give the same tensor that is the
      outermost. What a block that goes on to the next resolution computes at the former one (a bottleneck, an
      expansion) does not count, nor does what is no feature (see `kdzero_gp.taps.probe`): the images themselves,
      weights that modules compute, products of an attention. Tokens (N, P + H·W, C) that a transformer's blocks give,
      and channels-last maps, count as maps and are folded to (N, C, H, W), without the P tokens that are no place of
      the image (see `kdzero_gp.taps.fold`).
    - Where all blocks of a transformer work on one resolution, the stages are the outputs of `depths` of them at equal
      steps from the first to the last: of twelve blocks and three stages, blocks 0, 6 and 11, as in "Locality Guidance
      for Improving Vision Transformers on Tiny Datasets", https://arxiv.org/abs/2207.10026.
    - `pool`: the input of the last linear layer (or convolution of 1x1 maps) that gives the logits, as (N, D); there is
      none where no such layer does.
    - `logits`: the model's output.

    The model is left as it was: training modes, BatchNorm statistics and hooks included.

    Args:
        model: maps images to class scores (N, K).
        example: (N, C, H, W), as the model takes it and on its device; N = 1 will do.
        override: tap name to the path of the module whose output it shall be, such as {"stage2": "layer2.3"}. If the
            module runs several times, its last output. The stages must be numbered without gaps.
        depths: stages of a transformer of one resolution, or as many as it has blocks.

    Raises:
        TapError: the model fails on the example or gives no scores, or an override names an unknown tap or module, or a
            module whose output does not fit the tap.
    """
    override = dict(override or {})
    paths = _resolved(model, override)
    result, watch = watched_pass(model, example, set(paths.values()))
    places: dict[str, Tap] = {
        f"stage{number}": sight.tap("map", why=why) for number, (sight, why) in enumerate(_stages(watch, depths), 1)
    }
    places |= {name: replace(_overridden(name, paths[name], watch), why="set by hand") for name in override}
    if SCORES not in places:
        places[SCORES] = Tap("", _scores(result, watch).shape[1:], "scores", why="what the network gives")
    if POOL not in places and (vector := _penultimate(watch, result, places[SCORES])) is not None:
        places[POOL] = vector
    maps = [name for name, tap in places.items() if tap.role == "map"]
    order = [*(f"stage{number}" for number in range(1, len(maps) + 1)), *(name for name in ROLES if name in places)]
    if missing := [name for name in order if name not in places]:
        given = ", ".join(maps)
        raise TapError(f"There is no {missing[0]} among the stages {given}; number them from stage1 without gaps")
    return Taps(tuple((name, places[name]) for name in order))


def _stages(watch: Watch, depths: int) -> list[tuple[Sight, str]]:
    """Finds the stages in order of execution, and the reason for each."""
    grids = {block.grid for block in watch.blocks}
    count = len(watch.blocks)
    if len(grids) == 1 and set(watch.maps) <= grids:  # its patch embedding is no stage
        last = count - 1
        steps = min(depths, count) - 1
        # The half is rounded up: of twelve blocks the middle one is block 6.
        chosen = [(2 * last * step + steps) // (2 * steps) if steps else last for step in range(steps + 1)]
        return [(watch.blocks[number], f"block {number + 1} of {count} of one resolution") for number in chosen]
    stages = dict(watch.maps)
    for block in watch.blocks:  # a network that begins with convolutions ends with its blocks
        stages[block.grid] = block
    return [(sight, f"last output of {height} x {width} places") for (height, width), sight in stages.items()]


def _resolved(model: nn.Module, override: Mapping[str, str]) -> dict[str, str]:
    """Finds the first path of each overriding module: a shared module has several."""
    model = bare(model)
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


def _overridden(name: str, path: str, watch: Watch) -> Tap:
    sight = watch.outputs.get(path)
    if sight is None:
        raise TapError(f"Tap '{name}' is set to '{path}', but that module does not run in a forward pass; take another")
    if isinstance(sight, str):
        raise TapError(
            f"Tap '{name}' is set to '{path}', whose output is a {sight}, but must be a tensor; take another"
        )
    shape = tuple(sight.value.shape)
    on_image = len(shape) == 4 or (len(shape) == 3 and sight.layout == "tokens")
    role = ROLES.get(name, "map")
    fits = {"map": on_image, "scores": len(shape) == 2}.get(role, len(shape) >= 2)
    if not fits:
        needed = "(N, C, H, W), or tokens (N, P + H·W, C)" if role == "map" else "(N, D)"
        raise TapError(f"Tap '{name}' is set to '{path}', whose output is {shape}, but must be {needed}; take another")
    return sight.tap(role)


def _scores(result: Any, watch: Watch) -> Tensor:
    if isinstance(result, Tensor) and result.dim() == 2:
        return result
    giving = [source.path for source, output in watch.linears if any(output is part for part in tree_leaves(result))]
    named = f"; '{giving[0]}' gives one of them: --taps logits={giving[0]}" if giving else ""
    raise TapError(
        f"The model returns {form_of(result)}, but must return class scores (N, K); wrap it in a module that does, or "
        f"set the tap 'logits' to the module that gives them{named}"
    )


def _penultimate(watch: Watch, result: Any, scores: Tap) -> Tap | None:
    """Finds the vector before the scores; None where no linear layer gives them."""
    same = [
        source
        for source, output in watch.linears
        if isinstance(result, Tensor)
        and output.data_ptr() == result.data_ptr()
        and output.flatten(1).shape == result.shape
    ]
    # Scores that are rescaled after the classifier are another tensor of the same shape.
    alike = [source for source, output in watch.linears if tuple(output.flatten(1).shape[1:]) == scores.shape]
    if not same and not alike:
        return None
    return (same or alike)[-1].tap("vector", "input", "what the last linear layer makes the scores from")
