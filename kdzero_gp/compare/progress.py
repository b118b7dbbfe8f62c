"""What a comparison shows while it goes on: a live bar in a terminal, a line per training everywhere."""

import statistics

from rich.console import Console

from kdzero_gp.compare.report import reason
from kdzero_gp.console.bar import BarDisplay
from kdzero_gp.evaluate.full import FullResult
from kdzero_gp.tasks.kind import TaskKind
from kdzero_gp.tasks.kinds import kind_of


class ComparisonProgress(BarDisplay):
    """Prints a comparison's progress.

    Args:
        kind: of the task, by default classification.

    Attributes:
        folder: where trainings are kept, "" before there is one.
    """

    def __init__(self, console: Console, kind: TaskKind | None = None) -> None:
        super().__init__(console)
        self._measure = (kind or kind_of()).quality
        self.folder = ""
        self._missing = 0
        self._seconds: list[float] = []

    def started(self, title: str, folder: str, stored: int, missing: int) -> None:
        """Says what is about to happen and where it goes."""
        self.folder, self._missing = folder, missing
        self._task = self.bar.add_task("trainings", total=stored + missing, completed=stored, note="")
        self._line(f"{title}: {missing} trainings to do, {stored} stored; folder {folder}")

    def trained(self, label: str, number: int, result: FullResult) -> None:
        """A line for one training."""
        self._seconds.append(result.seconds)
        reached = result.part(self._measure.key)
        failed = f"failed: {reason(result.error or '')}"
        outcome = failed if reached is None else self._measure.shown(reached)
        mean = statistics.fmean(self._seconds)
        left = self._missing - len(self._seconds)
        rest = f"; {left} left of about {mean:.0f} s each" if left else ""
        self._line(f"{label}, seed {number}: {outcome} in {result.seconds:.0f} s{rest}")
        if self._task is not None:
            self.bar.update(self._task, advance=1)
