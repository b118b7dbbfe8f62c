"""The search without generations: no worker waits, and the order of its events alone decides what it finds."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from kdzero_gp import parse
from kdzero_gp.errors import StoreError
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.evolve.steady import SteadySearch
from kdzero_gp.execute.protocol import ScreenJob
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import RunStore

LADDER = Ladder((2, 5, 14), eta=3)
KINDS = [("evolve", "tournament", 1), ("evolve", "tournament", 3), ("evolve", "nsga2", 1), ("random", "tournament", 1)]


def settings(**changes: Any) -> SearchSettings:
    return SearchSettings(**({"population": 6, "generations": 4, "seed": 4, "elites": 2} | changes))


class Clockwork:
    """Workers in a time of their own: jobs last between 1 and 1000, so that most of them overtake others.

    Args:
        inner: knows the results.
        speeds: another number, other durations.
        stop_after: results it gives before it breaks down.
    """

    def __init__(self, inner: Any, stopped: type[Exception], *, workers: int = 3, speeds: int = 0) -> None:
        self.inner = inner
        self.stopped = stopped
        self.workers = workers
        self.speeds = speeds
        self.stop_after: int | None = None
        self.in_flight: list[tuple[float, int, Any]] = []
        self.now = 0.0
        self.waits: list[int] = []
        self.tickets = 0
        self.screenings: list[str] = []

    def submit(self, job: Any) -> int:
        if isinstance(job, ScreenJob):
            self.screenings.append(job.tree)
        heapq.heappush(self.in_flight, (self.now + self._duration(job), self.tickets, job))
        self.tickets += 1
        return self.tickets - 1

    def wait(self) -> tuple[int, Any]:
        if len(self.waits) == self.stop_after:
            raise self.stopped
        self.waits.append(len(self.in_flight))
        self.now, ticket, job = heapq.heappop(self.in_flight)
        return ticket, self.inner._result(job)

    def _duration(self, job: Any) -> float:
        digest = hashlib.sha256(f"{self.speeds} {job}".encode()).digest()
        return 1000.0 ** (digest[0] / 255)


class SteadyLaboratory:
    """Runs steady searches in folders of a test's own."""

    def __init__(self, laboratory: Any) -> None:
        self.laboratory = laboratory
        self.folder = laboratory.folder

    def executor(self, *, troubled: bool = True, stop_after: int | None = None, **options: Any) -> Clockwork:
        inner = self.laboratory.Executor(troubled=troubled)
        made = Clockwork(inner, self.laboratory.StoppedError, **options)
        made.stop_after = stop_after
        return made

    def run(
        self,
        chosen: SearchSettings,
        *,
        arm: Any = "evolve",
        name: str = "run",
        executor: Clockwork | None = None,
        seeds: Sequence[Tree] = (),
    ) -> SimpleNamespace:
        """Begins a search in a folder, or goes on with the one there."""
        folder, stats = self.folder / name, []
        executor = executor or self.executor()
        observer: Any = SimpleNamespace(
            evaluated=lambda proposal, evaluation, fresh: None,
            generation_done=lambda arm, generation, table: stats.append(table),
        )
        opened = RunStore.resume(folder) if folder.exists() else RunStore.create(folder, {})
        with opened as store:
            search = SteadySearch(arm, chosen, default_grammar(), executor, store, observer, seeds)  # type: ignore[arg-type]
            found = search.run()
            history = store.write_history().read_bytes()
            generations = store.generations(arm)
            records = list(store.evaluations(arm))
        for table in generations.values():
            table.pop("seconds")
        return SimpleNamespace(
            found=found, history=history, generations=generations, records=records, stats=stats, executor=executor
        )

    def trace(self, name: str) -> list[str]:
        with RunStore.read(self.folder / name) as store:
            return store.trace("evolve") or store.trace("random")


@pytest.fixture
def steady(laboratory: Any) -> SteadyLaboratory:
    return SteadyLaboratory(laboratory)


@pytest.mark.parametrize(("arm", "selection", "fuse"), KINDS)
def test_the_budget_is_that_of_generations(steady: SteadyLaboratory, arm: str, selection: str, fuse: int) -> None:
    chosen = settings(selection=selection, fuse=fuse, ladder=LADDER)
    run = steady.run(chosen, arm=arm)
    trained = Counter(p.rung for p, e in run.records if e.was_trained)
    assert trained[0] == 6 * 5
    assert 0 < trained[1] <= 2 * 5
    assert 0 < trained[2] <= 1 * 5
    assert sorted(run.generations) == [0, 1, 2, 3, 4]
    assert sum(stats["funnel"]["trained"] for stats in run.stats) == 30
    assert sum(stats["steps"] for stats in run.stats) == sum(e.steps for _, e in run.records)


def test_seeds_without_progress_are_trained_all_the_same(steady: SteadyLaboratory) -> None:
    trees = [parse(f"weight({value:g}, l2(stage{number}))") for value in (0.1, 1, 10) for number in (1, 2, 3)]
    inner = steady.laboratory.Executor()
    seed = next(tree for tree in trees if getattr(inner._screening(tree), "stage", None) == "no_progress")
    run = steady.run(settings(), seeds=[seed])
    assert [p.tree for p, e in run.records if p.operator == "seed" and e.was_trained] == [str(seed)]


def test_no_worker_waits_while_there_is_work(steady: SteadyLaboratory) -> None:
    """Durations differ a thousandfold. Only when the last candidates are under way may there be none left to begin."""
    executor = steady.executor(workers=5)
    steady.run(settings(population=20), executor=executor)
    busy = [count == 5 for count in executor.waits]
    assert all(busy[: busy.index(False)])
    assert len(busy) - busy.index(False) <= 2 * 5


def test_students_go_on_from_where_they_stopped(steady: SteadyLaboratory) -> None:
    run = steady.run(settings(ladder=LADDER))
    assert {rung for _, rung, _ in run.executor.inner.trainings} == {0, 1, 2}
    for key, rung, state in run.executor.inner.trainings:
        assert state == (f"{key} at {rung - 1}".encode() if rung else None)
    with RunStore.read(steady.folder / "run") as store:
        assert all(store.state("evolve", number, rung) is None for number in range(80) for rung in range(3))


def test_no_tree_and_no_effect_is_trained_twice(steady: SteadyLaboratory) -> None:
    run = steady.run(settings(generations=12))
    keys = [p.canonical for p, _ in run.records]
    assert len(keys) == len(set(keys))
    prints = [e.fingerprint for _, e in run.records if e.was_trained]
    assert len(prints) == len(set(prints))
    assert any(e.stage == "functional_duplicate" for _, e in run.records)
    assert [i.value for i in run.found] == sorted(i.value for i in run.found)


def test_with_one_worker_it_evolves_as_with_many(steady: SteadyLaboratory) -> None:
    """Selection works: a fitness with structure is found faster than by drawing afresh, for a fixed seed each."""

    def fitness(tree: Any) -> float:
        text = str(tree)
        return 10 - text.count("stage2") - 2 * text.count("l1(") - text.count("relu") + 0.05 * tree.size

    wins = 0
    for seed in range(4):
        best = []
        for arm in ("evolve", "random"):
            executor = steady.executor(troubled=False, workers=1 + 3 * (seed % 2))
            executor.inner.fitness = fitness
            run = steady.run(settings(generations=15, seed=seed), arm=arm, name=f"{arm}{seed}", executor=executor)
            best.append(run.found[0].value)
        wins += best[0] < best[1]
    assert wins >= 3


@pytest.mark.parametrize(("arm", "selection", "fuse"), KINDS)
def test_a_trace_replays_whatever_finishes_first(steady: SteadyLaboratory, arm: str, selection: str, fuse: int) -> None:
    chosen = settings(selection=selection, fuse=fuse, ladder=LADDER)
    first = steady.run(chosen, arm=arm, name="first")
    other = steady.run(chosen, arm=arm, name="other", executor=steady.executor(speeds=1))
    assert other.history != first.history or arm == "random", "the order matters, or this test shows nothing"
    with RunStore.create(steady.folder / "replayed", {}) as store:
        for position, event in enumerate(steady.trace("first")):
            store.append_trace(arm, position, event)
    replayed = steady.run(chosen, arm=arm, name="replayed", executor=steady.executor(speeds=2))
    assert replayed.history == first.history
    assert replayed.generations == first.generations
    assert steady.trace("replayed") == steady.trace("first")


@pytest.mark.parametrize(("arm", "selection", "fuse"), KINDS)
def test_broken_off_anywhere_it_goes_on_along_its_trace(
    steady: SteadyLaboratory, laboratory: Any, arm: str, selection: str, fuse: int
) -> None:
    chosen = settings(population=4, generations=1, selection=selection, fuse=fuse, ladder=LADDER)
    whole = steady.run(chosen, arm=arm)
    trace = steady.trace("run")
    for stop in range(0, len(whole.executor.waits), 2 + fuse):
        name = f"broken {stop}"
        with pytest.raises(laboratory.StoppedError):
            steady.run(chosen, arm=arm, name=name, executor=steady.executor(stop_after=stop))
        kept = steady.trace(name)
        assert kept == trace[: len(kept)]
        with RunStore.read(steady.folder / name) as store:
            stored = [(p, e) for p, e in store.evaluations(arm)]
        resumed = steady.run(chosen, arm=arm, name=name, executor=steady.executor(speeds=stop))
        assert steady.trace(name)[: len(kept)] == kept
        lasting = {(p.number, p.rung): (p, e) for p, e in resumed.records}
        assert all(lasting[p.number, p.rung] == (p, e) for p, e in stored)
        again = steady.run(chosen, arm=arm, name=name, executor=steady.executor(stop_after=0))
        assert again.history == resumed.history
        assert again.generations == resumed.generations


def test_killed_between_an_event_and_its_record_it_goes_on(steady: SteadyLaboratory) -> None:
    """The trace is written first, so there is never a record that it does not lead to."""
    chosen = settings(population=4, generations=1, ladder=LADDER)
    whole = steady.run(chosen)
    for kept in range(0, len(steady.trace("run")), 2):
        with RunStore.create(steady.folder / f"only {kept}", {}) as store:
            for position, event in enumerate(steady.trace("run")[:kept]):
                store.append_trace("evolve", position, event)
        resumed = steady.run(chosen, name=f"only {kept}")
        assert resumed.history == whole.history


def test_resumed_with_other_workers_it_keeps_what_was_and_uses_them_from_there(
    steady: SteadyLaboratory, laboratory: Any
) -> None:
    chosen = settings()
    with pytest.raises(laboratory.StoppedError):
        steady.run(chosen, name="more", executor=steady.executor(stop_after=20, workers=2))
    kept = steady.trace("more")
    executor = steady.executor(workers=4)
    resumed = steady.run(chosen, name="more", executor=executor)
    assert max(executor.waits) == 4
    assert steady.trace("more")[: len(kept) + 1] == [*kept, "workers 4"]
    again = steady.run(chosen, name="more", executor=steady.executor(stop_after=0, workers=4))
    assert again.history == resumed.history


def test_a_trace_of_another_run_is_refused(steady: SteadyLaboratory) -> None:
    with RunStore.create(steady.folder / "run", {}) as store:
        store.append_trace("evolve", 0, "workers 2")
        store.append_trace("evolve", 1, "screen 9")
    with pytest.raises(StoreError, match=r"`screen 9` came next, but this run is at screen 0, screen 1: it does not"):
        steady.run(settings())


def test_everything_failing_ends_cleanly(steady: SteadyLaboratory, laboratory: Any) -> None:
    executor = steady.executor()
    executor.inner._result = lambda job: laboratory.evaluation("error", error="by design")
    run = steady.run(settings(), executor=executor)
    assert run.found == []
    assert len(run.records) == 6 * 5 * settings().patience


def test_a_generation_that_proposed_nothing_counts_zero_proposals(steady: SteadyLaboratory) -> None:
    chosen = settings(population=2, generations=3)
    run = steady.run(chosen, executor=steady.executor(troubled=False, workers=8))
    proposed = [stats["funnel"]["proposed"] for stats in run.stats]
    assert sum(proposed) == 8
    assert 0 in proposed
