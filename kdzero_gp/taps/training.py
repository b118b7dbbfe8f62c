"""Checks that a network's outputs keep their form in training mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.errors import TapError
from kdzero_gp.taps.read import TapReader, form_of
from kdzero_gp.taps.tap import Taps
from kdzero_gp.taps.unchanged import unchanged


def require_same_in_training(model: nn.Module, images: Tensor, taps: Taps) -> None:
    """Runs one pass in training mode and checks its output; the network stays as it was.

    Networks with auxiliary classifiers give tuples then, others leave out layers, overwrite what was tapped, or work
    without gradient.

    Args:
        model: the student.
        images: (N, C, H, W), at least two.
        taps: those that are read in training.

    Raises:
        TapError: names the tap, what came back and what to set.
    """
    with unchanged(model), torch.enable_grad():
        for module in model.modules():
            module.training = True
        outputs: list[object] = []
        handle = model.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
        try:
            seen = TapReader(model, taps)(images)
        except TapError as error:
            hint = _scores_hint(model, images) if outputs and not isinstance(outputs[-1], Tensor) else ""
            raise TapError(f"in training mode {_lowered(str(error))}{hint}") from None
        except Exception as error:  # the network can be the user's own, and fail in any way
            raise TapError(
                f"in training mode {type(model).__name__} fails on images of shape {tuple(images.shape)}: "
                f"{type(error).__name__}: {error}"
            ) from error
        finally:
            handle.remove()
    for name, tap in taps.items():
        if tuple(seen[name].shape[1:]) != tap.shape:
            raise TapError(
                f"in training mode the tap '{name}' ({tap}) is {form_of(seen[name])}, but was (N, "
                f"{', '.join(map(str, tap.shape))}) in evaluation mode; set it to a module that gives the same in both"
            )


def _scores_hint(model: nn.Module, images: Tensor) -> str:
    """Finds a module whose output is part of the network's, if there is one."""
    found: list[tuple[str, object]] = []
    handles = [
        module.register_forward_hook(lambda _module, _inputs, out, path=path: found.append((path, out)))
        for path, module in model.named_modules()
        if path
    ]
    try:
        parts = _tensors(model(images))
    finally:
        for handle in handles:
            handle.remove()
    for path, out in found:
        if any(part is out for part in parts):
            return f". Its module '{path}' gives one of them: --taps logits={path}"
    return ""


def _tensors(output: object) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        return [tensor for part in output.values() for tensor in _tensors(part)]
    if isinstance(output, tuple | list):
        return [tensor for part in output for tensor in _tensors(part)]
    return []


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
