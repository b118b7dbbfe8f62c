"""Candidates and the results of full trainings, as plain data that any transport carries."""

from dataclasses import dataclass
from typing import Literal

FullSplit = Literal["val", "test"]
"""The splits that full trainings are measured on."""


@dataclass(frozen=True)
class Candidate:
    """A distiller that is to be trained.

    Attributes:
        tree: text form; None for the student alone.
        calibration: one factor per term; None for the formula as written.
        fingerprint: what the screening found of its effect.
        state: where its student stopped at the rung before, as safetensors; None begins at the beginning.
        ce_weight: of the cross-entropy beside the distiller, in a full training.
        warmup: share of a full training over which the distiller's weight rises linearly from 0.
        module: a method that is a module, as `kdzero_gp.methods.registry.method` reads it; the tree is added to it.
    """

    tree: str | None
    calibration: tuple[float, ...] | None = None
    fingerprint: str | None = None
    state: bytes | None = None
    ce_weight: float = 1.0
    warmup: float = 0.0
    module: str | None = None


@dataclass(frozen=True)
class FullTraining:
    """The result of a full training: the parts measured on its split, or None and the traceback of its failure."""

    parts: dict[str, float] | None
    seconds: float
    error: str | None

    def part(self, name: str) -> float | None:
        """Gives one of the parts; None where the training failed, or has none of this name."""
        return None if self.parts is None else self.parts.get(name)


@dataclass(frozen=True)
class FullTrainings:
    """The results of a group's full trainings, in its order."""

    each: tuple[FullTraining, ...]
