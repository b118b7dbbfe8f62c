"""The cost of a distiller, counted instead of timed, so that it is equal on every machine."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kdzero_gp.taps.tap import Taps

_VIEWS = (torch.ops.aten._unsafe_view.default,)
"""Views that torch does not declare as such."""


class NumbersWritten(TorchDispatchMode):
    """Counts the numbers that tensor operations write inside the block; views write none.

    Over 290 distillers of the digits pair the count goes with the time of a step (forward and backward) at a rank
    correlation of 0.97; multiply-adds reach 0.88, the number of operations 0.79.

    Attributes:
        count: so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Runs the operation and counts the numbers of its new outputs."""
        result = func(*args, **(kwargs or {}))
        if func in _VIEWS:
            return result
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        for output, declared in zip(outputs, func._schema.returns, strict=False):
            alias = declared.alias_info
            if isinstance(output, Tensor) and (alias is None or alias.is_write):
                self.count += output.numel()
        return result


def numbers_at(*networks: Taps) -> int:
    """Gives the numbers that all taps of the networks hold for one image."""
    return sum(math.prod(tap.shape) for taps in networks for _, tap in taps.items())
