"""Students side by side in the channel dimension: grouped convolutions instead of many small ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.loops.fused.stack import FuseError, Stack
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Taps


class GroupedStack(Stack):
    """A copy of the student whose modules hold K models: channels are (model 1, model 2, …), one after another.

    Whatever lies between the modules runs as it is written. That is right for operations that treat channels alike
    and apart (ReLU, pooling, sums, flattening), and wrong for others; the check on a probe batch tells.

    Args:
        student: the K students start as copies of it. Its modules with parameters must be Conv2d, BatchNorm2d,
            GroupNorm and Linear.
        taps: of the student.
        names: of the taps that are read.

    Raises:
        FuseError: another module has parameters or buffers.
    """

    def __init__(self, student: nn.Module, count: int, taps: Taps, names: Sequence[str]) -> None:
        super().__init__(count)
        self._model = copy.deepcopy(student).train()
        _widen(self._model, count)
        self.leaves = list(self._model.parameters())
        every = [
            *self._model.named_parameters(remove_duplicate=False),
            *self._model.named_buffers(remove_duplicate=False),
        ]
        wide = {name: self.split(tensor.detach()) for name, tensor in every}
        self._tensors = {name: wide[name].view(count, *t.shape) for name, t in student.state_dict().items()}
        self._reader = TapReader(self._model, taps, names)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return dict(self._reader(images))

    def apart(self, tap: Tensor) -> tuple[Tensor, ...]:
        return torch.unflatten(tap, 1, (self.count, -1)).transpose(0, 1).contiguous().unbind(0)

    def together(self, tap: Tensor) -> Tensor:
        return torch.unflatten(tap, 1, (self.count, -1)).transpose(0, 1)


def _widen(model: nn.Module, count: int) -> None:
    """Replaces every module with parameters by one that holds `count` copies, in place."""
    made: dict[nn.Module, nn.Module] = {}  # a module that stands in two places stays one module
    tensors: dict[Tensor, Tensor] = {}  # and a tied parameter one parameter
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if not (module._parameters or module._buffers):
            continue
        if module not in made:
            widen = _WIDENERS.get(type(module))
            if widen is None or not path:
                raise FuseError(f"`{path}` is a {type(module).__name__} with parameters, and no grouped form is known")
            made[module] = wide = widen(copy.copy(module), count)
            _repeat(wide, count, tensors)
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, made[module])


def _repeat(module: nn.Module, count: int, tensors: dict[Tensor, Tensor]) -> None:
    """Parameters and buffers `count` times along dimension 0; scalars become (count,)."""
    module._parameters, module._buffers = dict(module._parameters), dict(module._buffers)
    for table in (module._parameters, module._buffers):
        for name, tensor in table.items():
            if tensor is None:
                continue
            if tensor not in tensors:
                tensors[tensor] = _repeated(tensor, count)
            table[name] = tensors[tensor]  # type: ignore[assignment]


def _repeated(tensor: Tensor, count: int) -> Tensor:
    rows = tensor.detach().repeat(count, *[1] * (tensor.dim() - 1)) if tensor.dim() else tensor.detach().repeat(count)
    if rows.dim() == 4:  # on a CPU a grouped convolution of few channels takes a third of the time in this layout
        rows = rows.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(rows, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else rows


class _Conv(nn.Conv2d):
    """K convolutions side by side; images that all models share come in once."""

    models: int

    def forward(self, input: Tensor) -> Tensor:
        """(B, K C, H, W), or (B, C, H, W) shared, to (B, K O, H', W')."""
        if input.shape[1] == self.in_channels or input.shape[1] * self.models != self.in_channels:
            return super().forward(input)
        if self.groups != self.models or self.padding_mode != "zeros":
            return super().forward(input.repeat(1, self.models, 1, 1))
        maps = functional.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation)
        return maps.contiguous(memory_format=torch.channels_last)


class _Linear(nn.Linear):
    """K linear maps side by side."""

    models: int

    def forward(self, input: Tensor) -> Tensor:
        """(B, K D), or (B, D) shared, to (B, K O)."""
        if input.dim() != 2:
            raise FuseError(f"a Linear layer takes {input.dim()}-D input, but its grouped form knows (N, D) only")
        if input.shape[1] * self.models == self.in_features and self.models > 1:
            return functional.linear(input, self.weight, self.bias)
        apart = torch.unflatten(input, 1, (self.models, -1)).transpose(0, 1)
        weight: Tensor = torch.unflatten(self.weight, 0, (self.models, -1)).transpose(1, 2)
        if self.bias is None:
            result = torch.bmm(apart, weight)
        else:
            result = torch.baddbmm(torch.unflatten(self.bias, 0, (self.models, 1, -1)), apart, weight)
        return result.transpose(0, 1).flatten(1)


def _wide_conv(module: Any, count: int) -> nn.Module:
    module.__class__ = _Conv
    module.models = count
    module.in_channels *= count
    module.out_channels *= count
    module.groups *= count
    return module  # type: ignore[no-any-return]


def _wide_linear(module: Any, count: int) -> nn.Module:
    module.__class__ = _Linear
    module.models = count
    module.in_features *= count
    module.out_features *= count
    return module  # type: ignore[no-any-return]


def _wide_batch_norm(module: Any, count: int) -> nn.Module:
    module.num_features *= count
    return module  # type: ignore[no-any-return]


def _wide_group_norm(module: Any, count: int) -> nn.Module:
    module.num_channels *= count
    module.num_groups *= count
    return module  # type: ignore[no-any-return]


_WIDENERS: dict[type[nn.Module], Callable[[Any, int], nn.Module]] = {
    nn.Conv2d: _wide_conv,
    nn.Linear: _wide_linear,
    nn.BatchNorm2d: _wide_batch_norm,
    nn.GroupNorm: _wide_group_norm,
}
