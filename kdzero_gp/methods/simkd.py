"""SimKD: Chen et al.: Knowledge Distillation with the Reused Teacher Classifier (CVPR 2022)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World
from kdzero_gp.taps.network import Head
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Taps
from kdzero_gp.taps.wrapped_student import WrappedStudent


@module_method(
    "simkd",
    "Chen et al.: Knowledge Distillation with the Reused Teacher Classifier (CVPR 2022)",
    ce_weight=0.0,
    needs_stages=True,
)
class SimKd(MethodLoss):
    """The student's last map, projected to the teacher's, is classified by the teacher's own classifier.

    Loss = mean (proj(s) − t)² alone, without labels. The projector (conv1x1, conv3x3, conv1x1, each with BN and ReLU,
    half of the teacher's channels between) and the teacher's classifier stay with the student and count as its
    parameters. Maps meet at the smaller size.

    Args:
        factor: by which the channels between are fewer than the teacher's.
    """

    needs = ("wrapped student",)

    def __init__(self, stages: Stages, *, weight: float = 1.0, factor: int = 2) -> None:
        super().__init__([stages[-1]])
        self.weight, self.factor, self.tap = weight, factor, stages[-1]

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        ours, theirs = world.networks("simkd")
        if theirs.head.weight.shape[1] != teacher[self.tap][1]:
            raise TapError(
                f"simkd needs a teacher whose classifier takes the average of its `{self.tap}`, but that has "
                f"{teacher[self.tap][1]} channels and the classifier takes {theirs.head.weight.shape[1]} numbers"
            )
        self._places = ours.taps
        self._parts = (projector(student[self.tap][1], teacher[self.tap][1], self.factor), theirs.head)
        self._size = teacher[self.tap][2:]
        self._wrapped: tuple[Projected, ...] = ()  # in a tuple: its parameters are the student's, not the method's

    def wrap(self, student: nn.Module) -> nn.Module:
        device = next(student.parameters()).device
        wrapped = Projected(student, self._places, self.tap, *self._parts, self._size).to(device)
        self._wrapped = (wrapped,)
        return wrapped

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        projected, wanted = self._wrapped[0].project(student[self.tap]), teacher[self.tap]
        if wanted.shape[2:] != projected.shape[2:]:
            _, wanted = to_common_size(projected, wanted)
        return {"simkd": self.weight * F.mse_loss(projected, wanted)}


class Projected(WrappedStudent):
    """A student whose scores are the teacher's classifier's, of its projected last map.

    Args:
        places: the student's taps.
        tap: its last map.
        size: (H, W) of the teacher's map; larger maps are averaged to it.
    """

    def __init__(
        self, student: nn.Module, places: Taps, tap: str, projector: nn.Module, head: Head, size: tuple[int, ...]
    ) -> None:
        super().__init__(student)
        self.projector = projector
        self.classifier = copy.deepcopy(head.module).requires_grad_(False)
        self._places, self._tap, self._size = places, tap, size
        self._last: tuple[Tensor, Tensor] | None = None

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to class scores (N, K)."""
        with TapReader(self.student, self._places, [self._tap]) as reader:
            maps = reader(images)[self._tap]
        projected = self._projected(maps)
        self._last = (maps, projected) if torch.is_grad_enabled() else None
        return Head(self.classifier)(projected.mean((2, 3)))

    def project(self, maps: Tensor) -> Tensor:
        """Gives the projection of the map of the last pass, computed there already, or of another."""
        if self._last is not None and self._last[0] is maps:
            return self._last[1]
        return self._projected(maps)

    def _projected(self, maps: Tensor) -> Tensor:
        if maps.shape[2] > self._size[0]:
            maps = F.adaptive_avg_pool2d(maps, (self._size[0], self._size[1]))
        result: Tensor = self.projector(maps)
        return result


def projector(inputs: int, outputs: int, factor: int) -> nn.Sequential:
    """conv1x1, conv3x3, conv1x1, each with BN and ReLU, `outputs / factor` channels between."""
    middle = max(1, outputs // factor)
    layers: list[nn.Module] = []
    for taken, given, size in ((inputs, middle, 1), (middle, middle, 3), (middle, outputs, 1)):
        layers += [nn.Conv2d(taken, given, size, padding=size // 2, bias=False), nn.BatchNorm2d(given), nn.ReLU()]
    return nn.Sequential(*layers)
