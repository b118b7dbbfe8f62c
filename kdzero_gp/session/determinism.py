"""Torch's global settings that a run's numbers depend on, the same in this process and in every worker."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def settle_torch(threads: int, device: str) -> None:
    """One number of threads, and deterministic algorithms where they cost nothing: on the CPU.

    The debug mode "warn" is `use_deterministic_algorithms(True, warn_only=True)` without the import of torch's
    compiler, which would cost each process a second.
    """
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("warn" if device == "cpu" else "default")


@contextmanager
def settled_torch(threads: int, device: str) -> Iterator[None]:
    """The same inside a block, after which torch is as the caller had it."""
    before = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    settle_torch(threads, device)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(mode)
