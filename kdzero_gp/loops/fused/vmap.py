"""Students stacked by `torch.func`: any model without control flow that depends on data."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call, vmap

from kdzero_gp.loops.fused.stack import Stack
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Taps


class VmapStack(Stack):
    """K students as one vectorised call: every tensor gets a leading dimension K.

    Args:
        student: the K students start as copies of it.
        taps: of the student.
        names: of the taps that are read.
    """

    def __init__(self, student: nn.Module, count: int, taps: Taps, names: Sequence[str]) -> None:
        super().__init__(count)
        self._model = _Tapped(copy.deepcopy(student).train(), taps, names)
        self._parameters: dict[str, Tensor] = {}
        for name, parameter in self._model.named_parameters():
            leaf = nn.Parameter(_repeated(parameter, count), requires_grad=parameter.requires_grad)
            self.leaves.append(leaf)
            self._parameters[name] = leaf
        self._buffers = {name: _repeated(buffer, count) for name, buffer in self._model.named_buffers()}
        stacked = {name.removeprefix("model."): t.detach() for name, t in (self._parameters | self._buffers).items()}
        self._tensors = {name: stacked[alias] for name, alias in _aliases(student).items() if alias in stacked}
        self._forward = vmap(self._one, in_dims=(0, 0, None), randomness="error")

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        with warnings.catch_warnings():  # that an operation without a batching rule is slow shows in measurements
            warnings.filterwarnings("ignore", "There is a performance drop")
            taps: dict[str, Tensor] = self._forward(self._parameters, self._buffers, images)
        return taps

    def apart(self, tap: Tensor) -> tuple[Tensor, ...]:
        return tap.unbind(0)

    def together(self, tap: Tensor) -> Tensor:
        return tap

    def split(self, leaf_sized: Tensor) -> Tensor:
        return leaf_sized

    def _one(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = functional_call(self._model, (parameters, buffers), (images,))
        return taps


class _Tapped(nn.Module):
    """A student whose output is its taps."""

    def __init__(self, model: nn.Module, taps: Taps, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self._reader = TapReader(model, taps, names)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return dict(self._reader(images))


def _repeated(tensor: Tensor, count: int) -> Tensor:
    return tensor.detach().unsqueeze(0).repeat(count, *[1] * tensor.dim())


def _aliases(student: nn.Module) -> dict[str, str]:
    """Maps every key of the `state_dict` to the first name of its tensor; shared tensors have several."""
    first: dict[int, str] = {}
    named = [*student.named_parameters(), *student.named_buffers()]
    for name, tensor in named:
        first.setdefault(id(tensor), name)
    every = dict([*student.named_parameters(remove_duplicate=False), *student.named_buffers(remove_duplicate=False)])
    return {key: first[id(every[key])] for key in student.state_dict() if key in every}
