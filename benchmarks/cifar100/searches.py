"""The finished searches that a CIFAR-100 benchmark stands on, by run seed, and the names of what they found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.export.distiller_file import save
from kdzero_gp.store import RunStore

ARMS = {"evolved": "evolved", "random": "random search"}
"""Word for an arm's best in labels -> in tables."""


@dataclass(frozen=True)
class FinishedSearch:
    """What a run folder holds of its search.

    Attributes:
        best: the evolved winner's file.
        rival: tree, calibration and fitness of random search's best; None where the run had none.
    """

    folder: Path
    config: Mapping[str, Any]
    best: Path
    rival: tuple[str, tuple[float, ...], float | None] | None
    trained: Mapping[str, int]
    hours: float
    hardware: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The search in a run folder.

        Raises:
            StoreError: there is no run, it is not finished, or it found nothing.
        """
        with RunStore.read(folder) as store:
            final, summary, config = store.result("final"), store.result("summary"), store.config
            if final is None or summary is None:
                raise StoreError(f"the run in {folder} is not finished; go on with it by --resume {folder}")
            rows: list[dict[str, Any]] = final["rows"]
            rival = next((row for row in rows if row["kind"] == "random"), None)
            trained = {
                arm: sum(1 for _, e in store.evaluations(arm) if e.status == "ok") for arm in ("evolve", "random")
            }
        best = folder / "best.json"
        if not best.is_file():
            raise StoreError(f"the run in {folder} has no best.json: all of its candidates failed; begin another run")
        return cls(
            folder=folder,
            config=config,
            best=best,
            rival=None if rival is None else (rival["tree"], tuple(rival["calibration"] or ()), rival["fitness"]),
            trained=trained,
            hours=summary["seconds"] / 3600,
            hardware=summary["hardware"],
        )

    def save_rival(self, path: Path) -> Path | None:
        """Random search's best as a distiller file; None where there is none."""
        if self.rival is None:
            return None
        tree, calibration, fitness = self.rival
        return save(Distiller(tree, calibration=calibration or None), path, fitness=fitness)


@dataclass(frozen=True)
class Searches:
    """Searches that differ in their run seed alone; others are refused by a ConfigError."""

    runs: tuple[FinishedSearch, ...]

    def __post_init__(self) -> None:
        seeds = self.seeds
        if len(set(seeds)) < len(seeds):
            raise ConfigError(f"the runs have the seeds {seeds}, but each must have one of its own; give each run once")
        first, *others = (run.config for run in self.runs)
        for config in others:
            if other := [name for name in sorted({*first, *config} - {"seed"}) if first.get(name) != config.get(name)]:
                raise ConfigError(
                    f"the runs of seed {first['seed']} and {config['seed']} differ in {', '.join(other)}; give runs "
                    "that differ in the seed alone"
                )

    @property
    def seeds(self) -> list[int]:
        """Their run seeds."""
        return [run.config["seed"] for run in self.runs]

    @property
    def suffixes(self) -> list[str]:
        """What tells the runs apart in tables; nothing where there is one."""
        return [f", run seed {seed}" if len(self.runs) > 1 else "" for seed in self.seeds]

    def labels(self, arm: str) -> list[str]:
        """How the comparison calls the best of an arm of `ARMS`, by run: that of the first has the plain word."""
        return [arm, *(f"{arm} {seed}" for seed in self.seeds[1:])]

    def names(self) -> Iterator[tuple[str, str]]:
        """Label and name in tables of everything found."""
        for arm, name in ARMS.items():
            for label, suffix in zip(self.labels(arm), self.suffixes, strict=True):
                yield label, name + suffix

    def files(self, folder: Path) -> dict[str, Path]:
        """Distiller files by label; those of random search's best are written into the folder."""
        found = {}
        for evolved, random, run in zip(self.labels("evolved"), self.labels("random"), self.runs, strict=True):
            found[evolved] = run.best
            if rival := run.save_rival(folder / f"{random}.json"):
                found[random] = rival
        return found
