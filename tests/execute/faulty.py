"""An evaluator for tests of executors: a tree's text tells what goes wrong when it is trained.

`ok NAME` gives a result that depends on its arguments alone. It stands in a module of its own, and is found by its name
in worker processes.
"""

import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kdzero_gp.evaluate.candidate import Candidate, FullSplit, FullTraining
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store.record import Evaluation, Status

GIGABYTE = 2**30


class FaultyEvaluator:
    """Has the methods of `Evaluator` that jobs call.

    Args:
        notes: a folder for what must be remembered when a worker is gone.
    """

    def __init__(self, notes: Path) -> None:
        self.notes = notes
        (notes / f"pid-{os.getpid()}").touch()

    def screen(self, tree: Tree) -> Screening:
        return Screening(None, (float(tree.size),), f"print of {tree}")

    def train(self, candidates: Sequence[Candidate], rung: int) -> tuple[Evaluation, ...]:
        self._note(" & ".join(str(candidate.tree) for candidate in candidates))
        return tuple(self._train(candidate, rung, len(candidates)) for candidate in candidates)

    def full(self, candidate: Candidate, number: int, split: FullSplit) -> FullTraining:
        self._act(candidate.tree or "ok")
        return FullTraining({"accuracy": derive_seed(number, candidate.tree, split) / 2**63}, 0.5, None)

    def _train(self, candidate: Candidate, rung: int, together: int) -> Evaluation:
        status = self._act(str(candidate.tree), together)
        return trained(candidate, rung, status)

    def _act(self, text: str, together: int = 1) -> Status:
        word, _, argument = text.partition(" ")
        match word:
            case "oom":  # the evaluator's own way of reporting it
                return "oom"
            case "oom-together":
                return "oom" if together > 1 else "ok"
            case "memory-once":
                if self._first(text):
                    raise MemoryError("a tensor of 3 TB")
            case "die-once":
                if self._first(text):
                    os.kill(os.getpid(), signal.SIGKILL)
            case "hang-once":
                if self._first(text):
                    _hang()
            case "sleep":
                time.sleep(float(argument))
            case _:
                ACTS.get(word, _nothing)()
        return "ok"

    def _first(self, text: str) -> bool:
        path = self.notes / text
        first = not path.exists()
        path.touch()
        return first

    def _note(self, text: str) -> None:
        with open(self.notes / "attempts", "a") as file:
            file.write(f"{text}\n")


def trained(candidate: Candidate, rung: int, status: Status = "ok") -> Evaluation:
    """The result of a candidate that nothing befalls, by the same formula wherever it is trained."""
    fitness = derive_seed(rung, candidate.tree, len(candidate.state or b"")) / 2**63
    return Evaluation(
        status=status,
        fitness=fitness if status == "ok" else None,
        parts={"ce": fitness},
        calibration=candidate.calibration or (),
        fingerprint=candidate.fingerprint,
        steps=7,
        seed=3,
        seconds=0.25,
        host="test",
        error=None if status == "ok" else "reported",
        state=str(candidate.tree).encode() * 100_000 if status == "ok" else None,  # more than a pipe holds
    )


def _nothing() -> None:
    pass


def _raise() -> None:
    print("said before it failed")
    raise ZeroDivisionError("by design")


def _flood_python() -> None:
    chunk = "x" * 2**20
    for _ in range(GIGABYTE // 2**21):
        print(chunk)
        sys.stderr.write(chunk)


def _flood_descriptors() -> None:
    chunk = b"x" * 2**20
    for _ in range(GIGABYTE // 2**21):
        os.write(1, chunk)
        os.write(2, chunk)


def _hang() -> None:
    time.sleep(1e6)


def _spin() -> None:
    """Never comes out of compiled code, and keeps all of Python from running meanwhile."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _memory() -> None:
    raise MemoryError("a tensor of 3 TB")


ACTS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "exit": partial(sys.exit, 3),
    "leave": partial(os._exit, 0),
    "segfault": partial(ctypes.string_at, 0),
    "die": _die,
    "hang": _hang,
    "spin": _spin,
    "memory": _memory,
    "flood": _flood_python,
    "flood-descriptors": _flood_descriptors,
}


def make(notes: str) -> FaultyEvaluator:
    """What workers call."""
    return FaultyEvaluator(Path(notes))


def make_nothing() -> FaultyEvaluator:
    """What workers cannot call with success."""
    raise FileNotFoundError("there is no data file here")


def make_death() -> FaultyEvaluator:
    """What kills a worker while it starts."""
    os._exit(7)
