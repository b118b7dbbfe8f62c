"""Torch's global settings that a run's numbers depend on, the same in this process and in every worker."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def settle_torch(threads: int, device: str) -> None:
    """One number of threads, and deterministic algorithms where they cost nothing: on the CPU."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(device == "cpu", warn_only=True)


@contextmanager
def settled_torch(threads: int, device: str) -> Iterator[None]:
    """The same inside a block, after which torch is as the caller had it."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    settle_torch(threads, device)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
