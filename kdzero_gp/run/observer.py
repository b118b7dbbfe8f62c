"""Observers of a whole run: the protocol, and one that ignores everything."""

from pathlib import Path
from typing import Any, Protocol

from kdzero_gp.evolve.search import Observer
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.run.config import RunConfig
from kdzero_gp.store.record import Evaluation, Proposal


class RunObserver(Observer, Protocol):
    """Follows a whole run."""

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """The task is ready and the folder is open."""
        ...

    def phase(self, name: str, jobs: int) -> None:
        """A phase of this many trainings begins."""
        ...

    def final_done(self, name: str, number: int) -> None:
        """One full training of the final stage is done."""
        ...

    def already_finished(self, config: RunConfig, folder: Path) -> None:
        """The run to go on with came to its end before: there is nothing to do."""
        ...


class Silent:
    """An observer that ignores everything."""

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """Nothing."""

    def phase(self, name: str, jobs: int) -> None:
        """Nothing."""

    def final_done(self, name: str, number: int) -> None:
        """Nothing."""

    def already_finished(self, config: RunConfig, folder: Path) -> None:
        """Nothing."""

    def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
        """Nothing."""

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, object]) -> None:
        """Nothing."""
