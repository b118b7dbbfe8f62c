"""TensorBoard events of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard.writer import SummaryWriter

from kdzero_gp.evolve.proposer import Candidate
from kdzero_gp.evolve.settings import Arm
from kdzero_gp.session.config import RunConfig
from kdzero_gp.session.observer import RunObserver
from kdzero_gp.store.record import Evaluation

FLUSH_SECONDS = 1
"""The writer's thread may sleep that long; Ctrl-C at a bad moment leaves it asleep, and `close` waits for it."""


class TensorBoardEvents:
    """Hands everything on to another observer and writes the curves to `RUN/tensorboard`.

    The curves are a copy of what the store holds: where they cannot be written the run goes on without them.
    """

    def __init__(self, inner: RunObserver) -> None:
        self.inner = inner
        self.writer: SummaryWriter | None = None

    def started(self, config: RunConfig, folder: Path, summary: dict[str, Any]) -> None:
        """Opens the event file."""
        with self._spared():
            self.writer = SummaryWriter(str(folder / "tensorboard"), flush_secs=FLUSH_SECONDS)
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

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, fresh: bool) -> None:
        """Every candidate's fitness and its parts, by the candidate's number."""
        if self.writer is not None and evaluation.fitness is not None:
            proposal = candidate.proposal
            for name, value in {"fitness": evaluation.fitness, **evaluation.parts}.items():
                self._scalar(f"{proposal.arm}/candidate/{name}", value, proposal.number)
        self.inner.evaluated(candidate, evaluation, fresh=fresh)

    def generation_done(self, arm: Arm, generation: int, stats: dict[str, Any]) -> None:
        """Best, median and diversity, and the funnel."""
        for name in ("best", "median", "diversity"):
            if stats[name] is not None:
                self._scalar(f"{arm}/{name}", stats[name], generation)
        for name, count in stats["funnel"].items():
            self._scalar(f"{arm}/funnel/{name}", count, generation)
        self.inner.generation_done(arm, generation, stats)

    def close(self) -> None:
        """Writes what is still in memory."""
        with self._spared():
            if self.writer is not None:
                self.writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        with self._spared():
            if self.writer is not None:
                self.writer.add_scalar(name, value, step)

    @contextmanager
    def _spared(self) -> Iterator[None]:
        """Gives the event file up when it cannot be written, as on a full disk."""
        try:
            yield
        except OSError:
            self.writer = None
