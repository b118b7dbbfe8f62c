"""A whole run: search, random search of the same budget, final table, exports, drawings."""

import datetime
import os
import platform
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from kdzero_gp.assemble import make_evaluator, make_grammar, make_settings, make_task, make_worker_evaluator
from kdzero_gp.catalog.methods import method, methods
from kdzero_gp.config import NOT_IDENTITY, RunConfig, make_config
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.export import save
from kdzero_gp.distiller.standalone import write_standalone
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Entrant
from kdzero_gp.evolve.final import Contender, Row, run_final
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.search import Observer, Search
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.gallery import write_best, write_gallery
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.task import Task

BASELINE = "kd"
LIBRARIES = ("torch", "torchvision", "deap", "numpy")


class RunObserver(Observer, Protocol):
    """Whoever wants to follow a whole run."""

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """The task is ready and the folder is open."""
        ...

    def phase(self, name: str, jobs: int) -> None:
        """A phase of this many trainings begins."""
        ...

    def final_done(self, name: str, number: int) -> None:
        """One full training of the final stage is done."""
        ...


@dataclass(frozen=True)
class SearchResult:
    """What a run found.

    Attributes:
        folder: the run folder.
        best: the distiller of the lowest validation fitness, with its calibration; None if every candidate failed.
        individuals: everything trained with success by the main arm, best first.
        table: rows of the final table by falling mean test accuracy.
    """

    folder: Path
    best: Distiller | None
    individuals: Sequence[Individual]
    table: Sequence[Row]


class Run:
    """One run in its folder, new or resumed.

    Args:
        folder: the run folder.
        config: of a new run; for a resumed one the stored configuration counts, and a difference is an error.
        resume: go on with the run in the folder.
        task: a task of one's own; by default the configuration's. It cannot travel to worker processes.
    """

    def __init__(
        self, folder: Path, config: RunConfig, observer: RunObserver, *, resume: bool = False, task: Task | None = None
    ) -> None:
        if task is not None and config.workers > 1:
            raise ConfigError("a task of your own cannot travel to worker processes; use workers=1")
        self.config = config
        self.observer = observer
        torch.set_num_threads(config.threads)
        if config.device == "cpu":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.task = task or make_task(config)
        self.evaluator = make_evaluator(config, self.task)
        self.grammar = make_grammar(config, self.task)
        identity: dict[str, Any] = config.model_dump(mode="json", exclude=set(NOT_IDENTITY))
        identity["data_fingerprint"] = self.task.data.fingerprint()
        open_store = RunStore.resume if resume else RunStore.create
        self.store = open_store(folder, identity)
        self.started = time.perf_counter()

    def __call__(self) -> SearchResult:
        """Carries the run out. Interrupted at any moment, it can be resumed to the same end."""
        with self.store, closing(self._executor()) as executor:
            self.observer.started(self.config, self.store.folder, self._summary())
            arm: Arm = "random" if self.config.algorithm == "random" else "evolve"
            found = self._search(arm, executor)
            rivals = self._search("random", executor) if arm == "evolve" and self.config.baselines else []
            contenders = self._contenders(arm, found, rivals)
            self.observer.phase("final", len(contenders) * self.config.final_seeds)
            table = run_final(
                contenders,
                self.config.final_seeds,
                executor,
                self.store,
                baseline=BASELINE,
                done=self.observer.final_done,
            )
            self.store.put_result("final", self._final(table))
            self.store.put_result("summary", self._summary() | {"seconds": time.perf_counter() - self.started})
            best = self._export(found[0]) if found else None
            self.store.write_history()
            write_gallery(self.store)
            return SearchResult(self.store.folder, best, found, table)

    def _executor(self) -> Executor:
        if self.config.workers == 1:
            return InProcess(self.evaluator)
        return Processes(self.config.workers, self.config.threads, partial(make_worker_evaluator, self.config))

    def _search(self, arm: Arm, executor: Executor) -> list[Individual]:
        settings = make_settings(self.config)
        seeds = self._seeds() if arm == "evolve" else []
        self.observer.phase(arm, settings.population * (settings.generations + 1))
        return Search(arm, settings, self.grammar, executor, self.store, self.observer, seeds).run()

    def _seeds(self) -> list[Tree]:
        limits = make_settings(self.config).limits
        seeds = [m.tree(self.task.student_taps.stages) for m in methods(self.config.seed_methods)]
        for name, tree in zip(self.config.seed_methods, seeds, strict=True):
            if not limits.allow(tree):
                raise ConfigError(
                    f"--seed-methods {name} has size {tree.size} and depth {tree.height}, but the limits are "
                    f"--max-size {limits.max_size} and --max-depth {limits.max_depth}; raise them or leave it out"
                )
        return seeds

    def _contenders(self, arm: Arm, found: list[Individual], rivals: list[Individual]) -> list[Contender]:
        label = "evolved" if arm == "evolve" else "random search"
        kind: Any = "evolved" if arm == "evolve" else "random"
        contenders = [
            _contender(f"{label} {place}", kind, individual)
            for place, individual in enumerate(found[: self.config.finalists], 1)
        ]
        if not self.config.baselines:
            return contenders
        if rivals:
            contenders.append(_contender("random search", "random", rivals[0]))
        kd = method(BASELINE)
        entrant = Entrant(str(kd.tree(self.task.student_taps.stages)), None, kd.ce_weight)
        return [*contenders, Contender(BASELINE, "method", entrant), Contender("student alone", "alone", Entrant(None))]

    def _final(self, table: list[Row]) -> dict[str, Any]:
        return {
            "rows": [asdict(row) for row in table],
            "seeds": list(range(self.config.final_seeds)),
            "split": "test",
            "epochs": self.task.recipe.epochs,
            "baseline": BASELINE,
        }

    def _summary(self) -> dict[str, Any]:
        teacher = float(
            (self.task.teacher_knowledge("test", ["logits"])["logits"].argmax(1) == self.task.labels("test"))
            .double()
            .mean()
        )
        return {
            "pair": self.config.pair,
            "data": self.config.data,
            "seed": self.config.seed,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "hardware": hardware(self.config.device),
            "versions": versions(),
            "teacher_accuracy": teacher,
            "shapes": {
                side: {name: [2, *tap.shape] for name, tap in taps.items()}
                for side, taps in (("student", self.task.student_taps), ("teacher", self.task.teacher_taps))
            },
            "budget": self.config.pop * (self.config.gens + 1),
        }

    def _export(self, winner: Individual) -> Distiller:
        evaluation = winner.evaluation
        distiller = Distiller(winner.tree, calibration=evaluation.calibration, seed=evaluation.seed)
        probe = slice(0, 8)
        with torch.no_grad(), self.task.reader(self.task.student(0).eval(), self.task.student_taps) as reader:
            student = reader(self.task.all_images("train")[probe])
        teacher = self.task.teacher_knowledge("train", self.task.teacher_taps).map(lambda tensor: tensor[probe])
        distiller.prepare(student, teacher)
        folder = self.store.folder
        save(
            distiller,
            folder / "best.json",
            teacher=self.config.teacher,
            student=self.config.student,
            fitness=evaluation.fitness,
            parts=evaluation.parts,
            extra={"data": self.config.data},
        )
        write_standalone(distiller, folder / "best.py")
        write_best(folder, winner.tree, calibration=evaluation.calibration, aligned=tuple(distiller.aligners))
        return distiller


def _contender(name: str, kind: Any, individual: Individual) -> Contender:
    entrant = Entrant(str(individual.tree), individual.evaluation.calibration)
    return Contender(name, kind, entrant, individual.value)


def hardware(device: str) -> str:
    """The machine a result was made on, in words."""
    processor = platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{os.cpu_count()} cores of {processor}{gpu}"


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


class Silent:
    """An observer that looks away."""

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """Nothing."""

    def phase(self, name: str, jobs: int) -> None:
        """Nothing."""

    def final_done(self, name: str, number: int) -> None:
        """Nothing."""

    def evaluated(self, candidate: Any, evaluation: Any, *, fresh: bool) -> None:
        """Nothing."""

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, object]) -> None:
        """Nothing."""


def search(
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    task: Task | None = None,
    observer: RunObserver | None = None,
    **options: Any,
) -> SearchResult:
    """Evolves distillers for a pair.

    Args:
        run_dir: folder of a new run, by default `runs/` and the date and pair.
        resume: folder of a run to go on with; its configuration counts.
        task: a task built from your own networks, instead of `teacher`, `student` and `data`.
        observer: follows the run.
        options: those of `python -m kdzero_gp.run`, with underscores: `pop=20, gens=25, seed=0, …`.

    Raises:
        KdzeroError: bad options, data, models or folders.
    """
    if resume is not None:
        if run_dir is not None:
            raise ConfigError("run_dir begins a new run and resume goes on with an old one; give one of the two")
        with RunStore.read(Path(resume)) as store:
            stored = store.config
        stored.pop("data_fingerprint", None)
        config = make_config(**(stored | options))
        folder = Path(resume)
    else:
        config = make_config(**options)
        folder = Path(run_dir) if run_dir is not None else default_folder(config)
    return Run(folder, config, observer or Silent(), resume=resume is not None, task=task)()


def default_folder(config: RunConfig) -> Path:
    """`runs/` with the date, the time and the pair."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    pair = f"{config.teacher}-{config.student}".replace(":", "_").replace("/", "_")
    return Path("runs") / f"{stamp}_{pair}"
