"""Seeds that depend on what is evaluated, never on when or where."""

import hashlib


def derive_seed(run_seed: int, *parts: str | int) -> int:
    """A seed in [0, 2**63) from the run's seed and what it is for, the same on every machine."""
    text = "\x1f".join(str(part) for part in (run_seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
