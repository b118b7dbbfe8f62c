"""The state of a loss that belongs to one pair; the stand-alone file copies this class word for word."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class PairState(nn.Module):
    """A module whose parameters are made for the shapes of a pair, and that draws random masks call by call.

    Both are part of its state: a fresh module that loads the state makes the parameters first, and goes on with the
    masks where the other stood.

    Attributes:
        seed: source of initial weights and masks.
        calls: number of calls so far; a mask is fixed by the seed, the call and its place in the formula.
        draws: whether there are masks.
    """

    seed: int
    calls: int
    draws: bool

    def pair_shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """By side and tap, the shape without the batch that the parameters were made for; empty before they were."""
        raise NotImplementedError

    def make_for(self, shapes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> None:
        """Makes the parameters for these shapes."""
        raise NotImplementedError

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.draws:
            destination[f"{prefix}stream"] = torch.tensor([self.seed, self.calls])
        for side, shapes in self.pair_shapes().items():
            for tap, shape in shapes.items():
                destination[f"{prefix}shapes.{side}.{tap}"] = torch.tensor(shape)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *arguments: Any) -> None:
        stream: Tensor | None = state_dict.pop(f"{prefix}stream", None)
        shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        for key in [key for key in state_dict if key.startswith(f"{prefix}shapes.")]:
            side, _, tap = key.removeprefix(f"{prefix}shapes.").partition(".")
            shapes.setdefault(side, {})[tap] = tuple(state_dict.pop(key).tolist())
        own, errors = self.pair_shapes(), arguments[-1]
        if shapes and not own:
            self.make_for(shapes)
        elif shapes and shapes != own:
            errors.append(f"the state was made for taps of {shapes}, but this loss for {own}; make a new one")
        if stream is not None:
            self.seed, self.calls = (int(number) for number in stream.tolist())
        super()._load_from_state_dict(state_dict, prefix, *arguments)
