"""A whole run: search, random search of the same budget, final table, exports, drawings."""

import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.fitness import FITNESS
from kdzero_gp.evaluate.fusing import measure_fuse, settle_fuse
from kdzero_gp.evolve.final import Row, open_rows, run_final
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.reassess import reassess
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.evolve.steady import SteadySearch
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.worker_count import worker_count
from kdzero_gp.gallery.page import write_gallery
from kdzero_gp.gallery.run_view import READINGS
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.pair.assemble import load_primitives, make_data, make_task
from kdzero_gp.pair.own_code import CODE, code_digests, remember_code, require_known_code, require_same_code
from kdzero_gp.pair.stored import resume_config
from kdzero_gp.provenance import hardware, versions
from kdzero_gp.randomness import settled_torch
from kdzero_gp.run.assemble import make_evaluator, make_executor, make_grammar, make_settings
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.run.node_readings import node_readings
from kdzero_gp.run.observer import RunObserver, Silent
from kdzero_gp.run.result import FINISHED, SearchResult, export_winner, run_summary, stored_result
from kdzero_gp.run.seed_trees import seed_trees
from kdzero_gp.store import RunStore
from kdzero_gp.store.folder import default_folder, reserve_folder
from kdzero_gp.tasks.presets import fuse_for
from kdzero_gp.tasks.task import Task

__all__ = ["Run", "SearchResult", "Silent", "hardware", "search", "versions"]

FINGERPRINT = "data_fingerprint"
FUSE = "fuse"
"""Name of the stored result of measuring how many students to train together."""


class Run:
    """A run, new or resumed; the two differ by their store alone.

    Args:
        config: what to do.
        observer: follows the run.
        task: a task of one's own; by default the configuration's. It cannot travel to worker processes.
        fingerprint: of the data that the run began with, if it began before.

    Raises:
        KdzeroError: what is wrong with options, data, models or primitives; nothing has been written then.
    """

    def __init__(
        self, config: RunConfig, observer: RunObserver, *, task: Task | None = None, fingerprint: str | None = None
    ) -> None:
        self.config = config
        self.observer = observer
        remember_code(config)
        load_primitives(config)
        self.workers = worker_count(config, own_task=task is not None)
        data = task.data if task is not None else make_data(config)
        self.fingerprint = data.fingerprint()
        if fingerprint not in (None, self.fingerprint):
            raise ConfigError(
                f"the data of {config.data} have changed since the run began (fingerprint {self.fingerprint}, it was "
                f"{fingerprint}), so it cannot go on with them; restore the old data, or begin a new run by --run-dir"
            )
        self.task = task or make_task(config, data)
        self.evaluator = make_evaluator(config, self.task)
        if self.evaluator.base is not None:
            self.evaluator.base.check(self.task, config.rungs)
        self.grammar = make_grammar(config, self.task)
        self.seeds = self._seeds()
        self.started = time.perf_counter()

    @property
    def identity(self) -> dict[str, Any]:
        """What the store keeps of a run, to tell whether another one continues it."""
        code = code_digests(self.config)
        return self.config.identity | {FINGERPRINT: self.fingerprint} | ({CODE: code} if code else {})

    def __call__(self, store: RunStore) -> SearchResult:
        """Carries out the run.

        A run that was interrupted at any moment can be resumed to the same end.
        """
        summary = run_summary(self.config, self.task)
        self.config = self.config.model_copy(update={"fuse": self._settle_fuse(store)})
        self.evaluator = make_evaluator(self.config, self.task)
        with closing(make_executor(self.config, self.evaluator, self.workers)) as executor:
            self.observer.started(self.config, store.folder, summary)
            arm: Arm = self.config.algorithm
            evolved = self._search(arm, executor, store)
            drawn = self._search("random", executor, store) if arm == "evolve" and self.config.baselines else []
            leaders = self._reassess(arm, evolved, executor, store)
            rivals = self._reassess("random", drawn, executor, store)
            table = self._final(leaders, rivals, executor, store)
        store.put_result("summary", summary | {"seconds": time.perf_counter() - self.started})
        winner = export_winner(leaders[0], self.config, self.task, store.folder) if leaders else None
        store.put_result(READINGS, node_readings([*leaders, *rivals], self.task))
        store.write_history()
        write_gallery(store)
        store.put_result(FINISHED, True)
        return SearchResult(store.folder, winner, evolved, table, self.task.kind)

    def _settle_fuse(self, store: RunStore) -> str:
        """Tells how many students are trained in one program: as many as before, where the run is gone on with."""

        def measure() -> str:
            stored = store.result(FUSE)
            if not isinstance(stored, dict):
                stored = dict(zip(("fuse", "reason"), measure_fuse(self.task), strict=True))
                store.put_result(FUSE, stored)
            return str(stored["fuse"])

        unasked = "auto" if torch.device(self.config.device).type == "cuda" else str(fuse_for(self.config.data))
        return settle_fuse(self.config.fuse, self.task, unasked=unasked, measure=measure)

    def _search(self, arm: Arm, executor: Executor, store: RunStore) -> list[Individual]:
        settings = make_settings(self.config, self.evaluator.ladder)
        seeds = self.seeds if arm == "evolve" else []
        self.observer.phase(arm, settings.population * (settings.generations + 1))
        kind = SteadySearch if self.config.mode == "steady" else Search
        return kind(arm, settings, self.grammar, executor, store, self.observer, seeds).run()

    def _seeds(self) -> list[Tree]:
        """Gives the trees of `--seed-methods`, after a look whether the limits allow any tree at all."""
        limits = make_settings(self.config).limits
        random_tree(0, max_depth=limits.max_depth, max_size=limits.max_size, grammar=self.grammar)
        return seed_trees(self.config.seed_methods, self.evaluator, limits)

    def _reassess(
        self, arm: str, individuals: list[Individual], executor: Executor, store: RunStore
    ) -> list[Individual]:
        if not individuals:
            return []
        count, seeds = max(self.config.leaders, self.config.finalists), self.config.leader_seeds
        self.observer.phase(f"{arm} leaders", (min(count, len(individuals)) + 1) * seeds)
        fitness = FITNESS.require(self.config.fitness)
        done, base = self.observer.final_done, self.evaluator.base
        return reassess(arm, individuals, count, seeds, executor, store, fitness, base=base, done=done)

    def _final(
        self, leaders: list[Individual], rivals: list[Individual], executor: Executor, store: RunStore
    ) -> list[Row]:
        seeds = self.config.final_seeds
        kind, base = self.task.kind, self.evaluator.base
        baseline = kind.baseline if base is None else base.name
        rows = open_rows(
            self.config.algorithm,
            self.task.student_taps.stages,
            leaders[: self.config.finalists],
            rivals,
            baseline if self.config.baselines else None,
            base,
        )
        self.observer.phase("final", len(rows) * seeds)
        table = run_final(rows, seeds, executor, store, kind, base=base, done=self.observer.final_done)
        record: dict[str, Any] = {
            "rows": [asdict(row) for row in table],
            "seeds": list(range(seeds)),
            "split": "test",
            "epochs": self.task.recipe.epochs,
            "baseline": baseline,
        }
        store.put_result("final", record)
        return table


def search(
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    task: Task | str | None = None,
    observer: RunObserver | None = None,
    **options: Any,
) -> SearchResult:
    """Evolves distillers for a pair.

    Args:
        run_dir: folder of a new run, by default `runs/` and the date and pair.
        resume: folder of a run to go on with; its configuration counts.
        task: the name of a kind of task, or a task built from your own networks, instead of `teacher`, `student` and
            `data`.
        observer: follows the run.
        options: those of `python -m kdzero_gp.run`, with underscores: `pop=20, gens=25, seed=0, …`.

    Raises:
        KdzeroError: bad options, data, models or folders.
    """
    if resume is not None and run_dir is not None:
        raise ConfigError(
            f"--run-dir {run_dir} begins a new run and --resume {resume} goes on with an old one; give one of the two"
        )
    observer = observer or Silent()
    if task is not None:
        options["task"] = task.kind.name if isinstance(task, Task) else task
    own = task if isinstance(task, Task) else None
    if resume is None:
        return _begin(make_config(**options), run_dir, observer, own)
    return _go_on(Path(resume), options, observer, own)


def _begin(config: RunConfig, run_dir: str | Path | None, observer: RunObserver, task: Task | None) -> SearchResult:
    folder = Path(run_dir) if run_dir is not None else default_folder(config.teacher, config.student)
    with settled_torch(config.threads, config.device):
        with reserve_folder(folder):
            run = Run(config, observer, task=task)
            store = RunStore.create(folder, run.identity)
        with store:
            return run(store)


def _go_on(folder: Path, options: dict[str, Any], observer: RunObserver, task: Task | None) -> SearchResult:
    with RunStore.read(folder) as store:
        stored = {name: value for name, value in store.config.items() if name not in (FINGERPRINT, CODE)}
        require_known_code(store.folder, stored, options)
        config = resume_config(store.folder, stored, options, make_config, what="run")
        require_same_code(store.folder, store.config.get(CODE), config, what="run")
        result = stored_result(store, config)
        if result is not None:
            observer.already_finished(config, store.folder)
            return result
    with settled_torch(config.threads, config.device), RunStore.resume(folder) as store:
        return Run(config, observer, task=task, fingerprint=store.config.get(FINGERPRINT))(store)
