"""TensorBoard events of a final training."""

from __future__ import annotations

from pathlib import Path

from kdzero_gp.console.curves import Curves
from kdzero_gp.fit.record import EpochLog, FitObserver, FitResult


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
        """Test accuracies at the last epoch."""
        for name, value in {"test/top1": result.top1, "test/top5": result.top5}.items():
            if value is not None:
                self.curves.add(name, value, len(result.log))
        self.inner.finished(result)

    def close(self) -> None:
        """Writes what is still in memory."""
        self.curves.close()
