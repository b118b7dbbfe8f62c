"""What the loss and its terms were on average over an epoch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


class Meter:
    """Adds up on the device: nothing is read back before `take`."""

    def __init__(self) -> None:
        self._steps = 0
        self._loss: Tensor | None = None
        self._terms: dict[str, Tensor] = {}

    def add(self, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """One step's loss and the distiller's weighted terms, scalars without gradient."""
        self._steps += 1
        self._loss = loss.double() if self._loss is None else self._loss + loss
        for name, value in terms.items():
            self._terms[name] = self._terms[name] + value if name in self._terms else value.double()

    def take(self) -> tuple[float, dict[str, float]]:
        """The means since the last call: the loss, and its parts by name, weighted, the cross-entropy as `ce`."""
        if self._loss is None:
            raise AssertionError("a step was done since the last call")
        loss = float(self._loss) / self._steps
        terms = {name: float(value) / self._steps for name, value in self._terms.items()}
        parts = {"ce": loss - sum(terms.values())} | terms
        self._steps, self._loss, self._terms = 0, None, {}
        return loss, parts
