"""A second process for the store's tests: `python writer_process.py WHAT FOLDER`.

loop: record without end, printing each number once its `record` has returned.
fill: the same under a small limit on file sizes until a `StoreError`; print it, lift the limit, go on once.
hold: open the run for writing, print "open", keep it until a line comes in.
fork: like hold, with a forked child that outlives this process.
"""

import os
import resource
import sys
import time
import types
from pathlib import Path

# The store alone, without the rest of the package and torch: that saves seconds per process.
_root = Path(__file__).resolve().parents[2] / "kdzero_gp"
_package = types.ModuleType("kdzero_gp")
_package.__path__ = [str(_root)]
sys.modules["kdzero_gp"] = _package

from kdzero_gp.errors import StoreError  # noqa: E402
from kdzero_gp.store import Evaluation, Proposal, RunStore  # noqa: E402


def record(store: RunStore, number: int) -> None:
    tree = f"weight({number}, kl(logits, 4))"
    store.record(
        Proposal(number, number // 20, "evolve", "random", (), tree, tree, 0),
        Evaluation("ok", None, number / 7, {"ce": number / 3}, (1.0,), None, 160, number, 0.1, "host", None),
    )
    print(number, flush=True)


def open_or_create(folder: Path) -> RunStore:
    if (folder / "run.sqlite").exists():
        return RunStore.resume(folder)
    return RunStore.create(folder, {"seed": 0})


def loop(folder: Path) -> None:
    store = open_or_create(folder)
    number = sum(1 for _ in store.evaluations())
    while True:
        record(store, number)
        number += 1


def fill(folder: Path) -> None:
    store = open_or_create(folder)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
    number = 0
    try:
        while True:
            record(store, number)
            number += 1
    except StoreError as error:
        print("failed:", error, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    record(store, number)
    store.close()


def hold(folder: Path) -> None:
    with open_or_create(folder):
        print("open", flush=True)
        sys.stdin.readline()


def fork(folder: Path) -> None:
    store = open_or_create(folder)
    if os.fork() == 0:
        store.close()  # must neither close the parent's database nor free its lock
        # Only now: until the child is first scheduled it still holds what it inherited.
        print(os.getpid(), flush=True)
        time.sleep(30)
        os._exit(0)
    time.sleep(30)


if __name__ == "__main__":
    {"loop": loop, "fill": fill, "hold": hold, "fork": fork}[sys.argv[1]](Path(sys.argv[2]))
