"""The ground of all randomness: seeds by use, global states kept and restored, torch made deterministic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor


def derive_seed(run_seed: int, *parts: str | int) -> int:
    """Gives a seed in [0, 2**63) from the run's seed and what it is for, the same on every machine."""
    text = "\x1f".join(str(part) for part in (run_seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def own_randomness(device: torch.device) -> AbstractContextManager[None]:
    """Restores torch's global random state after the block."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Copies torch's global random state, as a part of a training's state."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.device"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["random.cpu"])
    if device.type == "cuda" and "random.device" in states:
        torch.cuda.set_rng_state(states["random.device"], device)


def settle_torch(threads: int, device: str) -> None:
    """Sets one number of threads, and deterministic algorithms where they cost nothing: on the CPU.

    The debug mode "warn" is `use_deterministic_algorithms(True, warn_only=True)` without the import of torch's
    compiler, which would cost each process a second.
    """
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("warn" if device == "cpu" else "default")


@contextmanager
def settled_torch(threads: int, device: str) -> Iterator[None]:
    """Settles torch inside the block, and restores the caller's settings after."""
    before = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    settle_torch(threads, device)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(mode)


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global random state, of the CPU and of `device`, inside the block; restore it after."""
    place = torch.device(device)
    index = torch.cuda.current_device() if place.type == "cuda" and place.index is None else place.index
    with torch.random.fork_rng(devices=[index] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
