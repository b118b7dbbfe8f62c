"""What a method may know beside the taps and labels of a batch: the training it is in, and the moment of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.phase import MAIN, PUBLISHED_EPOCHS
from kdzero_gp.randomness import derive_seed
from kdzero_gp.taps.network import Network
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

Need = Literal["sample numbers", "images", "live teacher", "route", "wrapped student", "critic"]
"""What a method may ask of a training loop beside taps; see `kdzero_gp.methods.loss.MethodLoss`."""
_NOTHING = torch.empty(0)


@dataclass(frozen=True)
class World:
    """What stays the same for a whole training.

    Attributes:
        samples: number of training images, of which `now.index` are numbers.
        labels: (samples,) int64 of all of them, or the targets that the task has in their place, on the device.
        classes: K.
        epochs: of the schedule, extra phases not counted.
        steps: likewise.
        device: where tensors live.
        teacher, student: the networks, for their heads, norms and parts; None where the loss is called by hand.
    """

    samples: int = 0
    labels: Tensor = _NOTHING
    classes: int = 0
    epochs: int = PUBLISHED_EPOCHS
    steps: int = PUBLISHED_EPOCHS
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    teacher: Network | None = None
    student: Network | None = None

    @classmethod
    def of(cls, task: Task, student: nn.Module, recipe: Recipe) -> Self:
        """Gives the world of a student's training by a recipe."""
        samples = len(task.data.train)
        return cls(
            samples=samples,
            labels=task.targets("train"),
            classes=task.data.num_classes,
            epochs=recipe.epochs,
            steps=recipe.steps(samples),
            device=task.device,
            teacher=task.teacher_network,
            student=task.student_network(student),
        )

    def networks(self, name: str) -> tuple[Network, Network]:
        """Student and teacher.

        Raises:
            ConfigError: the method of this name was prepared without them.
        """
        if self.student is None or self.teacher is None:
            raise ConfigError(
                f"{name} looks into the networks, but was prepared without them; give prepare() a World that has both"
            )
        return self.student, self.teacher


@dataclass(frozen=True)
class Now:
    """The step at which a loss is asked for.

    Attributes:
        phase: name of the phase.
        step: steps done since the training began.
        share: of the schedule that is done, 0 up to 1; 0 in an extra phase.
        phase_share: of the phase that is done, 0 up to 1.
        index: (N,) int64, numbers of the batch's images in the training split, on the device. For methods that need
            sample numbers.
        images: (N, C, H, W), the batch as the data set hands it out, with gradient where the teacher is live. For
            methods that need images.
        teacher: runs the live teacher on images, with gradient to them.
        seed: of the method.
    """

    phase: str = MAIN
    step: int = 0
    share: float = 0.0
    phase_share: float = 0.0
    index: Tensor = _NOTHING
    images: Tensor = _NOTHING
    teacher: Callable[[Tensor], Knowledge] | None = None
    seed: int = 0

    @property
    def epoch(self) -> float:
        """The epoch of the published schedule of `PUBLISHED_EPOCHS` that corresponds to this moment."""
        return self.share * PUBLISHED_EPOCHS

    def generator(self, device: torch.device, use: str = "") -> torch.Generator:
        """Random numbers of this step and use: the same in every process and after every resumption."""
        return torch.Generator(device).manual_seed(derive_seed(self.seed, "step", self.step, use))
