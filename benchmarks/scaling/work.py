"""What the executors are measured with: real candidates, and candidates that cost nothing."""

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kdzero_gp.evaluate.evaluator import Entry, Trained
from kdzero_gp.evaluate.full import FullResult
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.evolve.steady import SteadySearch
from kdzero_gp.execute.protocol import Executor, ScreenJob, TrainJob
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation

MAX_DEPTH, MAX_SIZE = 7, 30


def draw(count: int, seed: int, grammar: Grammar) -> list[str]:
    """Random trees of different canonical forms, as a search would ask for them."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        tree = random_tree(rng, max_depth=MAX_DEPTH, max_size=MAX_SIZE, grammar=grammar)
        found.setdefault(tree.key, str(tree))
    return list(found.values())


@dataclass(frozen=True)
class Pass:
    """All candidates once through an executor.

    Attributes:
        seconds: from the first submission to the last result.
        screenings, trainings: seconds that each took where it was computed.
        statuses: of the trainings.
    """

    seconds: float
    screenings: tuple[float, ...]
    trainings: tuple[float, ...]
    statuses: tuple[str, ...]


def run_pass(executor: Executor, trees: Sequence[str], rung: int) -> Pass:
    """Screens and trains candidates, each by itself, with as many in flight as there are workers."""
    started = time.perf_counter()
    begun: dict[int, tuple[str, float]] = {}
    screenings, trained = [], []
    left = list(reversed(trees))
    while left or begun:
        while left and len(begun) < executor.workers:
            tree = left.pop()
            begun[executor.submit(ScreenJob(tree))] = tree, time.perf_counter()
        ticket, result = executor.wait()
        tree, since = begun.pop(ticket)
        if isinstance(result, tuple):
            trained.append(result[0].evaluation)
            continue
        screenings.append(time.perf_counter() - since)
        if isinstance(result, Screening):
            begun[executor.submit(TrainJob((Entry(tree, result),), rung))] = tree, time.perf_counter()
    seconds = time.perf_counter() - started
    times, statuses = tuple(one.seconds for one in trained), tuple(one.status for one in trained)
    return Pass(seconds, tuple(screenings), times, statuses)


class Costless:
    """An evaluator that computes nothing and gives results of the usual size; the first rung leaves no state."""

    def __init__(self, state: int) -> None:
        self.state = bytes(state)

    def screen(self, tree: Tree) -> Screening:
        return Screening(None, (1.0,), tree.key)

    def train(self, entries: Sequence[Entry], rung: int) -> tuple[Trained, ...]:
        return tuple(Trained(_evaluation(entry), self.state if rung else None) for entry in entries)

    def full(self, *_: object) -> FullResult:
        return FullResult({"accuracy": 0.5}, 0.0, None)


def _evaluation(entry: Entry) -> Evaluation:
    return Evaluation(
        status="ok",
        stage=None,
        fitness=len(entry.tree) / 100,
        parts={"ce": 1.0, "cka_gap": 0.1, "sharpness_gap": 0.1, "accuracy": 0.9},
        calibration=entry.screening.calibration,
        fingerprint=entry.screening.fingerprint,
        steps=60,
        seed=0,
        seconds=0.0,
        host="",
        error=None,
    )


def make_costless(state: int) -> Any:
    """What workers call; `state` is the size in bytes of a student's state."""
    return Costless(state)


def dispatch_seconds(executor: Executor, trees: Sequence[str]) -> float:
    """Seconds per candidate that computes nothing: a screening and a training are sent out and come back."""
    run_pass(executor, trees[: 2 * executor.workers], 1)
    return run_pass(executor, trees, 1).seconds / len(trees)


def search_seconds(executor: Executor, candidates: int, seed: int) -> float:
    """Seconds of a steady search per candidate that computes nothing: selection, variation, the store and dispatch."""
    settings = SearchSettings(20, max(0, candidates // 20 - 1), seed, ladder=Ladder((1,)))
    observer: Any = SimpleNamespace(evaluated=lambda *_, **__: None, generation_done=lambda *_, **__: None)
    with tempfile.TemporaryDirectory() as folder, RunStore.create(Path(folder) / "run", {}) as store:
        search = SteadySearch("evolve", settings, default_grammar(), executor, store, observer)
        started = time.perf_counter()
        search.run()
        return (time.perf_counter() - started) / sum(1 for _ in store.evaluations())
