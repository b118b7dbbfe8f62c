"""What a run shows while it goes on: a live bar in a terminal, a line per generation in a file."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from kdzero_gp.console.bar import BarDisplay
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.run.config import RunConfig
from kdzero_gp.store.record import Evaluation, Proposal

TITLES = {
    "evolve": "evolution",
    "random": "random search",
    "evolve leaders": "evolved, again",
    "random leaders": "random, again",
    "final": "final table",
}


class ConsoleProgress(BarDisplay):
    """Prints a run's progress."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.folder: Path | None = None
        self._best: dict[int, float] = {}
        self._outcomes: Counter[str] = Counter()
        self._begun = time.perf_counter()
        self._done = self._jobs = self._stored = 0

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """Says what is about to happen and where it goes."""
        self.folder = folder
        budget = config.pop * (config.gens + 1)
        self._line(
            f"{config.pair} on {config.data}, seed {config.seed}: {config.pop} x {config.gens + 1} = {budget} "
            f"trainings, teacher {100 * summary['teacher_accuracy']:.2f} % on test; run folder {folder}"
        )

    def already_finished(self, config: RunConfig, folder: Path) -> None:
        """Says that there is nothing to do."""
        self.folder = folder
        self._line(f"the run in {folder} is finished: nothing is left to do, and nothing was changed")

    def phase(self, name: str, jobs: int) -> None:
        """Starts a new bar."""
        if self._task is not None:
            self.bar.remove_task(self._task)
        self._task = self.bar.add_task(TITLES.get(name, name), total=jobs, note="")
        self._best, self._outcomes, self._begun = {}, Counter(), time.perf_counter()
        self._done, self._jobs, self._stored = 0, jobs, 0

    def final_done(self, name: str, number: int) -> None:
        """Counts one training of the final table."""
        self._advance(f"{name}, seed {number}")

    def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
        """Counts one candidate, or one more rung of one; the bar counts candidates."""
        self._stored += not fresh
        rung = proposal.rung
        if evaluation.fitness is not None:
            self._best[rung] = min(self._best.get(rung, evaluation.fitness), evaluation.fitness)
        if not evaluation.was_trained:
            self._outcomes["rejected" if evaluation.status == "rejected" else "failed"] += 1
            return
        self._outcomes["failed"] += evaluation.status != "ok"
        best = f"best {self._best[max(self._best)]:.4f}, " if self._best else ""
        self._advance(
            f"{best}{self._outcomes['rejected']} rejected, {self._outcomes['failed']} failed", by=int(rung == 0)
        )

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, Any]) -> None:
        """Writes a line per generation: above the bar in a terminal, and all there is in a file."""
        funnel = stats["funnel"]
        kept = {"proposed", "duplicate", "trained"}
        rejected = ", ".join(f"{name} {count}" for name, count in funnel.items() if name not in kept and count)
        best, median = (f"{v:.4f}" if (v := stats[key]) is not None else "-" for key in ("best", "median"))
        self._line(
            f"{TITLES[arm]:>13} gen {generation:>3}  best {best}  median {median}  trained {funnel.get('trained', 0)} "
            f"of {funnel['proposed']} proposed, {funnel['duplicate']} duplicates avoided"
            f"{f', {self._stored} from the store' if self._stored else ''}{f' ({rejected})' if rejected else ''}"
            f"{self._eta()}"
        )

    def _advance(self, note: str, by: int = 1) -> None:
        self._done += by
        if self._task is not None:
            self.bar.update(self._task, advance=by, note=note)

    def _eta(self) -> str:
        if self.console.is_terminal or not 0 < self._done < self._jobs:
            return ""
        left = (time.perf_counter() - self._begun) / self._done * (self._jobs - self._done)
        return f"  ETA {left:.0f} s"
