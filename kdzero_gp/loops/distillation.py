"""A distiller in a training loop of one's own: both networks are tapped by hooks, the loop itself stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge, unhalved
from kdzero_gp.loops.agreement import Agreement
from kdzero_gp.methods.loss import MethodLoss, as_method
from kdzero_gp.methods.named import check_loss, make_loss, named_distiller
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import World
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.unchanged import KeptBuffers, evaluating, unchanged
from kdzero_gp.tasks.kinds import DEFAULT, kind_of
from kdzero_gp.tasks.pair_taps import match_found

SHOWN = 2
"""Images that are kept to look for parts of a network that a method asks for."""


class Distillation(nn.Module):
    """Runs both networks and computes the whole loss of a batch, `loss = distillation(images, labels)`.

    Its own parameters are those of the distiller alone (aligners, where feature shapes differ, and what a method
    learns): give them to the optimiser beside the student's. The teacher is run without gradient in evaluation mode and
    is afterwards in the mode that it had; the student's mode is left to you. Under `torch.autocast` networks run in
    half precision and the loss in float32.

    No hook outlives a call, so both networks can be saved, copied and scripted between two steps. It can be copied,
    pickled and sent to another process with its networks, and used in a `with` block. A student in
    `torch.nn.parallel.DistributedDataParallel`, or sharded by `fully_shard` over a mesh of one dimension, is trained as
    usual: the gradients of our own parameters are averaged over the same processes. `DataParallel` over several devices
    and the older `FullyShardedDataParallel` are refused.

    Args:
        student, teacher: networks for one task, image classifiers of the same classes for instance, as they are.
        distiller: the path of a `best.json`, a text form, the name of a method (`kd`, `vid`, `dkd(beta=8)`, …; the
            warm-up of its weight that dkd is published with is left to your loop), a `Distiller` or a `MethodLoss`.
        images: a few of your training images, (N, C, H, W), as your loader gives them, N at least 2: the taps are found
            by them.
        teacher_view: what the teacher is shown of a batch of images, where that is not the images themselves: of its
            size, and normalised as it wants.
        taps: places set by hand, as `--taps` takes them.
        task: `classification` or `multilabel`: what the student is trained for.

    Attributes:
        logits: the student's scores of the last batch, (N, K) without gradient.

    Raises:
        TapError: no taps are found, or the distiller reads some that this pair does not have.
        ConfigError: a method that needs more of a loop than images and labels.
        KdzeroError: the distiller cannot be read.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        distiller: str | Path | Distiller | MethodLoss,
        images: Tensor,
        *,
        teacher_view: Callable[[Tensor], Tensor] | None = None,
        taps: Sequence[str] = (),
        task: str = DEFAULT,
    ) -> None:
        super().__init__()
        self._kind = kind_of(task)
        self._teacher_view = teacher_view or _as_it_is
        device = next((p.device for p in student.parameters()), images.device)
        images = images.to(device)
        networks = (teacher.to(device), student)  # in a tuple: they are no submodules, so not among our parameters
        shown, override = self._teacher_view(images), parse_taps(taps)
        pair = match_found(
            lambda depths: self._kind.find_taps(networks[0], shown, override.teacher, depths=depths),
            lambda depths: self._kind.find_taps(networks[1], images, override.student, depths=depths),
            same_size=shown.shape[2:] == images.shape[2:],
            paired=override.paired,
        ).shared
        self.ce_weight = 1.0
        self.distiller: Distiller | MethodLoss
        if isinstance(distiller, Distiller | MethodLoss):
            self.distiller = distiller.to(device)
        else:
            named = named_distiller(str(distiller), pair.student.stages)
            self.ce_weight = named.ce_weight
            made = make_loss(named.tree, named.module, pair.student.stages, calibration=named.calibration)
            if made is None:
                raise ConfigError("`none` is the student alone and has no distiller; keep your own loss for that")
            self.distiller = made.to(device)
        check_loss(self._kind, self.distiller, "the distiller")
        self._method = _for_any_loop(self.distiller)
        self._networks = (
            Network("student", student, pair.student, partial(_as_it_is, images[:SHOWN])),
            Network("teacher", teacher, pair.teacher, partial(self._teacher_view, images[:SHOWN])),
        )
        own_taps = tuple(dict.fromkeys((*self._method[0].student_taps, *self._kind.loss_taps)))
        self._readers = tuple(
            TapReader(network.model, network.places(names), names)
            for network, names in zip(self._networks, (own_taps, self._method[0].teacher_taps), strict=True)
        )
        self._scores = pair.student.of_role("scores")
        self._classes = next((pair.student[name].shape[0] for name in self._scores), 0)
        self.logits = torch.empty(0, device=device)
        self._moving = self._prepare(images)
        self._agreement = Agreement(student, self.parameters())

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss of one batch, a scalar: the task's own, weighted, and the distiller's terms.

        Args:
            images: (N, C, H, W).
            labels: (N,) int64, or (N, K) of 0 and 1 for `multilabel`.
        """
        self._agreement.begin()
        knowledge = self._readers[0](images)
        for name in self._scores:
            self.logits = unhalved(knowledge[name]).detach()
        distilled: Tensor = self._method[0](knowledge, self._taught(images), labels)
        return self.ce_weight * self._kind.loss(knowledge, labels) + distilled

    def terms(self) -> dict[str, Tensor]:
        """Gives every weighted term of the last batch by its text, for logging."""
        return self.distiller.terms()

    def close(self) -> None:
        """Ends the averaging over processes; the networks are as they were."""
        self._agreement.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_agreement"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._agreement = Agreement(self._readers[0].model, self.parameters())

    def _taught(self, images: Tensor) -> Knowledge:
        """Runs the teacher in evaluation mode and leaves it as it was."""
        reader = self._readers[1]
        buffers = KeptBuffers(reader.model) if self._moving else None
        with torch.no_grad(), evaluating(reader.model):
            knowledge = reader(self._teacher_view(images))
        if buffers is not None:
            buffers.put_back()
        return knowledge

    def _prepare(self, images: Tensor) -> bool:
        """Builds the learned parts; tells whether the teacher's passes change its buffers, as observers do."""
        student, teacher = self._readers
        self._moving = False
        with torch.no_grad(), unchanged(student.model), unchanged(teacher.model):
            buffers = KeptBuffers(teacher.model)
            taught = self._taught(images)
            moving = buffers.put_back()
            with evaluating(student.model):
                of_student, of_teacher = self._networks
                world = World(classes=self._classes, device=images.device, student=of_student, teacher=of_teacher)
                self._method[0].prepare(student(images), taught, world)
        return moving


def _for_any_loop(loss: Distiller | MethodLoss) -> tuple[MethodLoss]:
    """Wraps the loss as a method; the tuple keeps its parameters from being registered twice."""
    method = as_method(loss)
    if method is None:
        raise AssertionError("a loss is given")
    wants = [*method.needs, *(["phases of its own"] if method.phases != (Phase(),) else [])]
    if wants:
        raise ConfigError(
            f"this method needs {', '.join(wants)}, which a loop of your own does not give it; train by "
            "python -m kdzero_gp.train"
        )
    return (method,)


def _as_it_is(images: Tensor) -> Tensor:
    return images
