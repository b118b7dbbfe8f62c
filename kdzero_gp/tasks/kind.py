"""The protocol of task kinds: all that the rest of the program knows of a task.

A kind is a folder beside this file with a module `kind` that holds an instance, `KIND`. Searches, trainings, stores and
pages know this protocol alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, LabelForm, Split
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.taps.tap import Taps
from kdzero_gp.tasks.measure import Measure
from kdzero_gp.tasks.recipe import Recipe

Reduction = Literal["mean", "sum", "none"]
"""What becomes of the samples' losses: their mean, their sum, or each by itself, as torch has it."""


class Reader(Protocol):
    """Reads taps of a network while it runs."""

    def __call__(self, images: Tensor) -> Knowledge:
        """Gives the taps of a batch."""
        ...


class Measured(Protocol):
    """The part of a task that a kind reads to measure a student."""

    @property
    def student_taps(self) -> Taps:
        """The student's taps, under the names that the pair has in common."""
        ...

    def reader(self, student: nn.Module, names: Iterable[str]) -> AbstractContextManager[Reader]:
        """Reads the named taps of a student."""
        ...

    def chunks(self, split_name: str) -> Iterator[Tensor]:
        """Gives the images of a split, many at a time."""
        ...

    def targets(self, split_name: str) -> Tensor:
        """Gives all targets of a split, on the device."""
        ...

    def teacher_knowledge(self, split_name: str, names: Iterable[str]) -> Knowledge:
        """Gives the teacher's taps for a whole split."""
        ...


class TaskKind(Protocol):
    """One kind of task, without state: classification, multi-label classification, …"""

    @property
    def name(self) -> str:
        """The name in options and stored configurations."""
        ...

    @property
    def about(self) -> str:
        """A few words for the help of `--task`."""
        ...

    @property
    def labels(self) -> LabelForm:
        """The form in which data sets give the targets."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether an image has exactly one of the classes; operations that rest on that are left out otherwise."""
        ...

    @property
    def loss_taps(self) -> tuple[str, ...]:
        """Names of the student's taps that `loss` reads."""
        ...

    @property
    def loss_name(self) -> str:
        """The short name of the loss in logs."""
        ...

    @property
    def loss_title(self) -> str:
        """The name of the loss for people."""
        ...

    @property
    def per_sample(self) -> bool:
        """Whether the loss is a mean over samples, which parts of a batch and fused students need."""
        ...

    @property
    def quality(self) -> Measure:
        """The measure by which the tables rank students."""
        ...

    @property
    def further(self) -> tuple[Measure, ...]:
        """Further measures of the tables, where they exist."""
        ...

    @property
    def fitness(self) -> tuple[str, ...]:
        """Names of the fitness functions that the parts allow, the default one first."""
        ...

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the augmentations that leave the targets true."""
        ...

    @property
    def baseline(self) -> str:
        """Name of the hand-designed method that a search's results are tested against."""
        ...

    def build(self, name: str, data: Dataset, *, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
        """Builds the network called `name` for these data, initialised from torch's global random state.

        Raises:
            ModelError: there is none, or it cannot be built for such images.
        """
        ...

    def check_output(self, output: object, data: Dataset, images: Tensor, network: str) -> None:
        """Checks that a network's output for `images` (N, C, H, W) can be trained and measured.

        Args:
            network: what messages call it.

        Raises:
            ModelError: it cannot; says what was found and what is needed.
        """
        ...

    def find_taps(self, model: nn.Module, images: Tensor, override: Mapping[str, str] | None, *, depths: int) -> Taps:
        """Finds the taps of a network, each with its role; see `kdzero_gp.taps.find`.

        Raises:
            TapError: they cannot be found.
        """
        ...

    def check_taps(self, taps: Taps, data: Dataset, network: str) -> None:
        """Checks that a network's taps fit the data.

        Raises:
            ModelError: they do not.
        """
        ...

    def loss(self, student: Knowledge, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        """Computes the student's own loss, to which a distiller is added, in float32.

        Args:
            student: `loss_taps` with their graph.
            targets: of the same samples.
            reduction: anything but `mean` is asked of a kind only if its loss is `per_sample`; `none` gives (N,).
        """
        ...

    def divergence(self, student: Knowledge, teacher: Knowledge) -> Tensor:
        """Computes the divergence of the student's predictions from the teacher's, a scalar: 0 where they agree."""
        ...

    def parts(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures the quality and the fitness functions' parts of a student on a split."""
        ...

    def full_parts(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures the parts of `parts` and the further measures."""
        ...

    def measures(self, task: Measured, student: nn.Module, split: str) -> dict[str, float]:
        """Measures quality and further measures by key, without the teacher."""
        ...

    def teacher_measures(self, task: Measured, split: str) -> dict[str, float]:
        """Measures quality and further measures of the teacher."""
        ...

    def network_measures(self, model: nn.Module, data: Dataset, split: Split) -> dict[str, float]:
        """Measures quality and further measures of a network without a task; puts it into evaluation mode."""
        ...

    def train_teacher(
        self,
        model: nn.Module,
        data: Dataset,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device | str,
        after_epoch: Callable[[int], None] | None = None,
    ) -> nn.Module:
        """Trains a teacher in place on the training split; it comes back in evaluation mode.

        Args:
            after_epoch: told how many epochs are done, after each.

        Raises:
            ModelError: the loss became NaN or infinite.
        """
        ...
