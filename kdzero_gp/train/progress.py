"""What a final training shows while it goes on: a live bar in a terminal, a line per epoch in a file."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from kdzero_gp.console.bar import BarDisplay
from kdzero_gp.console.curves import Curves
from kdzero_gp.train.record import EpochLog, FitObserver, FitResult


class FitProgress(BarDisplay):
    """Prints a training's progress."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.folder: Path | None = None
        self.stored = 0

    def started(self, title: str, epochs: int, done: int, folder: Path | None) -> None:
        """Says what is about to happen and where it goes."""
        self.folder, self.stored = folder, done
        begun = f"; {done} of them are done already" if done else ""
        self._line(f"{title}: {epochs} epochs{begun}{f'; folder {folder}' if folder else ''}")
        self._task = self.bar.add_task("epochs", total=epochs, completed=done, note="")

    def epoch_done(self, log: EpochLog) -> None:
        """The mean loss with its parts, the learning rate and, where it is measured, the quality on validation."""
        self.stored = log.epoch
        val = "" if log.val_accuracy is None else f"  val {100 * log.val_accuracy:.2f} %"
        if self._task is not None:
            self.bar.update(self._task, advance=1, note=f"loss {log.loss:.4f}{val}")
        if self.console.is_terminal:
            return
        terms = ", ".join(f"{name} {value:.4f}" for name, value in log.terms.items())
        self._line(f"epoch {log.epoch:>3}  loss {log.loss:.4f} ({terms})  lr {log.lr:.3g}{val}  {log.seconds:.1f} s")

    def warned(self, text: str) -> None:
        """The warning in a line of its own."""
        self._line(f"warning: {text}")

    def finished(self, result: FitResult) -> None:
        """What the student of the last epoch is worth."""
        measures = (result.kind.quality, *result.kind.further)
        reached = [(measure, result.measured[measure.record]) for measure in measures]
        said = ", ".join(f"{measure.short} {measure.shown(value)}" for measure, value in reached if value is not None)
        self._line(f"last epoch, test split: {said} (trained in {result.seconds:.0f} s)")


class FitEvents:
    """Hands everything on to another observer and writes the curves to `FOLDER/tensorboard`.

    The curves are a copy of what the checkpoint holds: where they cannot be written the training goes on without them.
    """

    def __init__(self, inner: FitObserver) -> None:
        self.inner = inner
        self.curves = Curves()

    def started(self, title: str, epochs: int, done: int, folder: Path | None) -> None:
        """Opens the event file; epochs of an interrupted process that will come again are not shown twice."""
        if folder is not None:
            self.curves.open(folder, purge_step=done + 1)
        self.inner.started(title, epochs, done, folder)

    def epoch_done(self, log: EpochLog) -> None:
        """Loss, its terms, learning rate, validation accuracy, by the epoch's number."""
        values = {"train/loss": log.loss, "train/lr": log.lr, "train/seconds": log.seconds}
        values |= {f"train/terms/{name}": value for name, value in log.terms.items()}
        if log.val_accuracy is not None:
            values["val/accuracy"] = log.val_accuracy
        for name, value in values.items():
            self.curves.add(name, value, log.epoch)
        self.inner.epoch_done(log)

    def warned(self, text: str) -> None:
        """Nothing to write."""
        self.inner.warned(text)

    def finished(self, result: FitResult) -> None:
        """What was measured on the test split at the last epoch."""
        for name, value in result.measured.items():
            if value is not None:
                self.curves.add(f"test/{name}", value, len(result.log))
        self.inner.finished(result)

    def close(self) -> None:
        """Writes what is still in memory."""
        self.curves.close()
