"""A search without networks: an executor whose results are a pure function of a tree's text."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdzero_gp import parse
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.protocol import ScreenJob, TrainJob
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation, Proposal


class StoppedError(Exception):
    """The executor stopped in the middle of its work, as a killed process does."""


def evaluation(status: str, **changes: Any) -> Evaluation:
    return Evaluation(status, **({"calibration": (1.0,), "seed": 1} | changes))  # type: ignore[arg-type]


class FakeExecutor:
    """Results from a hash of the canonical form: most are trained, some are rejected, alike in effect, or fail.

    Args:
        stop_after: results it gives before it breaks down; None for no end.
        shuffle: gives results out of order, as worker processes do.
        fitness: of a tree.
        troubled: whether candidates may be rejected or fail.
    """

    def __init__(
        self,
        stop_after: int | None = None,
        *,
        shuffle: bool = False,
        fitness: Callable[[Tree], float] | None = None,
        troubled: bool = True,
    ) -> None:
        self.stop_after = stop_after
        self.shuffle = shuffle
        self.fitness = fitness or (lambda tree: 1 + _number(tree.key, "fitness", 10_000) / 1000)
        self.troubled = troubled
        self.given = 0
        self.trainings: list[tuple[str, int, bytes | None]] = []
        self.groups: list[tuple[str, ...]] = []

    def run(self, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        order = list(range(len(jobs)))
        if self.shuffle:
            random.Random(self.given).shuffle(order)
        for index in order:
            if self.given == self.stop_after:
                raise StoppedError
            self.given += 1
            yield index, self._result(jobs[index])

    def close(self) -> None:
        pass

    def _result(self, job: ScreenJob | TrainJob) -> Any:
        if isinstance(job, ScreenJob):
            return self._screening(parse(job.tree))
        self.groups.append(tuple(parse(str(candidate.tree)).key for candidate in job.candidates))
        return tuple(self._trained(candidate, job.rung) for candidate in job.candidates)

    def _trained(self, candidate: Candidate, rung: int) -> Evaluation:
        tree = parse(str(candidate.tree))
        self.trainings.append((tree.key, rung, candidate.state))
        if self.troubled and _number(tree.key, f"failure {rung or ''}", 8) == 0:
            status = ("nan", "error", "timeout", "oom", "worker_lost")[_number(tree.key, "status", 5)]
            return evaluation(status, fingerprint=candidate.fingerprint, error=f"{status} by design")
        value = self.fitness(tree) + rung * _number(tree.key, f"rung {rung}", 100) / 1000
        state = f"{tree.key} at {rung}".encode()
        parts = {"ce": value}
        return evaluation("ok", fitness=value, parts=parts, fingerprint=candidate.fingerprint, steps=9, state=state)

    def _screening(self, tree: Tree) -> Any:
        if self.troubled and _number(tree.key, "rejected", 4) == 0:
            return evaluation("rejected", stage="no_progress", fingerprint="f")
        if self.troubled and _number(tree.key, "broken", 15) == 0:
            return evaluation("error", error="broken by design")
        prints = _number(tree.key, "effect", 400) if self.troubled else tree.key
        return Screening(None, (1.0,), f"print {prints}")


def _number(key: str, purpose: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose} {key}".encode()).digest()[:6], "big") % below


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Proposal, Evaluation, bool]] = []
        self.stats: list[dict[str, Any]] = []
        self.populations: list[list[Any]] = []
        self.search: Search | None = None

    def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
        self.seen.append((proposal, evaluation, fresh))

    def generation_done(self, arm: Any, generation: int, stats: dict[str, Any]) -> None:
        self.stats.append(stats)
        if self.search is not None:
            self.populations.append(list(self.search.population))


class Laboratory:
    """Runs searches in folders of a test's own."""

    StoppedError = StoppedError
    Executor = FakeExecutor
    evaluation = staticmethod(evaluation)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        settings: SearchSettings,
        *,
        arm: Any = "evolve",
        name: str = "run",
        executor: Any = None,
        seeds: Sequence[Tree] = (),
        grammar: Grammar | None = None,
    ) -> SimpleNamespace:
        """Begins a search in a folder, or goes on with the one there; the history is read after the end."""
        folder, recorder = self.folder / name, Recorder()
        executor = executor or FakeExecutor()
        opened = RunStore.resume(folder) if folder.exists() else RunStore.create(folder, {})
        with opened as store:
            search = Search(arm, settings, grammar or default_grammar(), executor, store, recorder, seeds)
            recorder.search = search
            found = search.run()
            history = store.write_history().read_bytes()
            generations = store.generations(arm)
            records = list(store.evaluations(arm))
        for stats in generations.values():
            stats.pop("seconds")
        return SimpleNamespace(
            found=found,
            history=history,
            generations=generations,
            records=records,
            recorder=recorder,
            search=search,
            executor=executor,
        )


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)
