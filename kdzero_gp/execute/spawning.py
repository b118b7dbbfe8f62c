"""The start of a worker process, and its environment."""

import os
import signal
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker

from kdzero_gp.errors import ConfigError

VISIBLE = "CUDA_VISIBLE_DEVICES"


@contextmanager
def spawning(environment: Mapping[str, str]) -> Iterator[None]:
    """Gives processes spawned inside these environment variables, before they import anything.

    Ctrl-C reaches all processes of a terminal, but is the parent's affair from a worker's first moment on: the signal
    stays blocked there. And a worker needs nothing of the parent's main script, which must not run a second time in
    it; so a script that starts a search needs no `if __name__ == "__main__"`.
    """
    resource_tracker.ensure_running()  # the first spawn would start it, which lets the signal through again
    main = sys.modules["__main__"]
    before = {name: os.environ.get(name) for name in environment}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules["__main__"] = types.ModuleType("__main__")
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        sys.modules["__main__"] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def share(device: str, threads: int) -> dict[str, str]:
    """Makes the environment of a worker with one device and so many threads.

    Args:
        device: `cpu`, or `cuda:N` by this process' own count; to the worker that GPU is `cuda`.

    Raises:
        ConfigError: there is no such device.
    """
    environment = {"OMP_NUM_THREADS": str(threads)}
    if device == "cpu":
        return environment
    kind, _, number = device.partition(":")
    visible = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    if kind != "cuda" or not (number or "0").isdecimal() or (visible and int(number or 0) >= len(visible)):
        seen = f"; {VISIBLE} lets {len(visible)} be seen" if visible else ""
        raise ConfigError(f"a worker's device is '{device}', but must be cpu or cuda:N{seen}")
    index = int(number or 0)
    return environment | {VISIBLE: visible[index] if visible else str(index)}
