"""What one final training is: the parts of it, how it begins, and what another must agree with to go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.ranks import Ranks
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.methods.named import NamedDistiller, make_loss
from kdzero_gp.models.weights import weights_digest
from kdzero_gp.randomness import derive_seed
from kdzero_gp.tasks.kinds import DEFAULT
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task


@dataclass(frozen=True)
class Fit:
    """What one final training is; see `fit` for its parts."""

    task: Task
    named: NamedDistiller
    recipe: Recipe
    seed: int = 0
    calibrate: bool = False
    validate: bool = True
    accumulate: int = 1

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides the result, as plain data. The processes are none of it: they change the last bits alone."""
        content = {
            "pair": self.task.name,
            "teacher_weights": weights_digest(self.task.teacher),
            "taps": {
                side: {name: str(tap) for name, tap in taps.items()}
                for side, taps in (("teacher", self.task.teacher_taps), ("student", self.task.student_taps))
            },
            "data_fingerprint": self.task.data.fingerprint(),
            "augment": asdict(self.task.augment),
            "amp": self.task.amp,
            "device": self.task.device.type,
            "distiller": None if self.named.tree is None else str(self.named.tree),
            **({} if self.named.module is None else {"method": self.named.module}),
            "calibration": self.named.calibration,
            "calibrate": self.calibrate,
            "warmup_epochs": self.named.warmup_epochs,
            "recipe": asdict(self._recipe) | {"clip": str(self.recipe.clip)},  # JSON has no infinity
            "seed": self.seed,
            "accumulate": self.accumulate,
        }
        if self.task.kind.name != DEFAULT:  # older trainings are of the usual kind
            content["task"] = self.task.kind.name
        plain: dict[str, Any] = json.loads(json.dumps(content))
        return plain

    @property
    def _recipe(self) -> Recipe:
        return replace(self.recipe, ce_weight=self.named.ce_weight)

    def training(self, ranks: Ranks, factors: tuple[float, ...] | None) -> ShardedTraining:
        """Makes the training at its first step."""
        named, recipe = self.named, self._recipe
        stages = self.task.student_taps.stages
        return ShardedTraining(
            self.task,
            make_loss(named.tree, named.module, stages, calibration=factors, seed=self._seed("distiller")),
            recipe,
            student_seed=self._seed("student"),
            order_seed=self._seed("batches"),
            distiller_warmup=named.warmup_steps(recipe.steps(len(self.task.data.train))),
            accumulate=self.accumulate,
            ranks=ranks,
        )

    def factors(self) -> tuple[float, ...] | None:
        """Gives the distiller's own calibration, or measures one now; None for the formula as written."""
        if self.named.calibration is not None or not self.calibrate:
            return self.named.calibration
        return calibrated(self.task, self.named, student_seed=self._seed("student"), seed=self._seed("distiller"))

    def _seed(self, use: str) -> int:
        return derive_seed(self.seed, "final", use)


PROBE = 64
"""Images of the probe batch, the first of the training split, as in a search's screening."""


def calibrated(task: Task, named: NamedDistiller, *, student_seed: int, seed: int) -> tuple[float, ...]:
    """Measures one factor for each term, on the student as its training finds it.

    Raises:
        CalibrationError: a term's gradient is zero or not finite.
        ConfigError: the student alone, which has no terms.
    """
    if named.tree is None:
        what = "the student alone" if named.alone else "a module"
        raise ConfigError(f"{named.name} is {what} and has no terms to calibrate; leave --calibrate out")
    distiller = Distiller(named.tree, seed=seed)
    student = task.student(student_seed).train()
    names = tuple(dict.fromkeys((*distiller.taps, *task.kind.loss_taps)))
    images = task.first_images("train", PROBE)
    targets = task.targets("train")[: len(images)]
    teacher = task.teacher_probe(distiller.taps, PROBE)
    with task.reader(student, names) as reader:
        known = reader(images)
        loss = task.kind.loss(known, targets)
        return distiller.calibrate(known, teacher, targets, student.parameters(), task_loss=loss)
