"""Torch's settings that hold for the whole process: what one operation changes would change all after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from kdzero_gp.errors import PrimitiveError


class TorchState(NamedTuple):
    """The settings, each under the name that a message gives it."""

    default_dtype: torch.dtype
    grad_mode: bool
    default_device: torch.device
    threads: int
    deterministic_mode: int
    matmul_precision: str
    anomaly_mode: bool

    @classmethod
    def now(cls) -> TorchState:
        """Gives the settings as they are."""
        return cls(
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_default_device(),
            torch.get_num_threads(),
            torch.get_deterministic_debug_mode(),
            torch.get_float32_matmul_precision(),
            torch.is_anomaly_enabled(),
        )

    def changes(self, after: TorchState) -> str:
        """Tells what differs in `after`, for people; empty where nothing is."""
        return ", ".join(
            f"{name.replace('_', ' ')} from {old} to {new}"
            for name, old, new in zip(self._fields, self, after, strict=True)
            if old != new
        )

    def put_back(self) -> None:
        """Sets torch to these settings."""
        torch.set_default_dtype(self.default_dtype)
        torch.set_grad_enabled(self.grad_mode)
        if torch.get_default_device() != self.default_device:
            # None takes away a device that was set, so that functions go the short way again.
            torch.set_default_device(None if self.default_device.type == "cpu" else self.default_device)
        torch.set_num_threads(self.threads)
        torch.set_deterministic_debug_mode(self.deterministic_mode)
        torch.set_float32_matmul_precision(self.matmul_precision)
        torch.autograd.set_detect_anomaly(self.anomaly_mode)


@contextmanager
def same_torch(who: Callable[[], str]) -> Iterator[None]:
    """Restores torch's settings after the block, and names the code that changed them.

    Args:
        who: subject of the message.

    Raises:
        PrimitiveError: the block changed something; an error of its own comes first.
    """
    before = TorchState.now()
    try:
        yield
    finally:
        after = TorchState.now()
        if after != before:
            before.put_back()
    if after != before:
        raise PrimitiveError(
            f"{who()} changed settings of torch that hold for the whole process ({before.changes(after)}), which would "
            "change all that is computed afterwards; they were set back. Change them in a `with` block, or not at all"
        )
