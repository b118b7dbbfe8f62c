"""TensorBoard events of a run."""

from pathlib import Path
from typing import Any

from kdzero_gp.console.curves import Curves
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.run.config import RunConfig
from kdzero_gp.run.observer import RunObserver
from kdzero_gp.store.record import Evaluation, Proposal


class TensorBoardEvents:
    """Hands everything on to another observer and writes the curves to `RUN/tensorboard`.

    The curves are a copy of what the store holds: where they cannot be written the run goes on without them.
    """

    def __init__(self, inner: RunObserver) -> None:
        self.inner = inner
        self.curves = Curves()

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """Opens the event file."""
        self.curves.open(folder)
        self.inner.started(config, folder, summary)

    def already_finished(self, config: RunConfig, folder: Path) -> None:
        """Nothing to write."""
        self.inner.already_finished(config, folder)

    def phase(self, name: str, jobs: int) -> None:
        """Nothing to write."""
        self.inner.phase(name, jobs)

    def final_done(self, name: str, number: int) -> None:
        """Nothing to write: the table is in the store."""
        self.inner.final_done(name, number)

    def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
        """Gives every candidate's fitness and its parts, by the candidate's number."""
        if evaluation.fitness is not None:
            for name, value in {"fitness": evaluation.fitness, **evaluation.parts}.items():
                self.curves.add(f"{proposal.arm}/candidate/{name}", value, proposal.number)
        self.inner.evaluated(proposal, evaluation, fresh=fresh)

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, Any]) -> None:
        """Best, median and diversity, and the funnel."""
        for name in ("best", "median", "diversity"):
            if stats[name] is not None:
                self.curves.add(f"{arm}/{name}", stats[name], generation)
        for name, count in stats["funnel"].items():
            self.curves.add(f"{arm}/funnel/{name}", count, generation)
        self.inner.generation_done(arm, generation, stats)

    def close(self) -> None:
        """Writes what is still in memory."""
        self.curves.close()
