"""The check of a stack notices each kind of difference that would make students of a search incomparable."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.loops.fused.check import check_stack
from kdzero_gp.loops.fused.grouped import GroupedStack
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.models import build
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.tap import Taps

IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class DoubledGradients(GroupedStack):
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {name: 2 * tap - tap.detach() for name, tap in super().__call__(images).items()}


class LostGradients(GroupedStack):
    def __init__(self, student: nn.Module, count: int, taps: Taps, names: Sequence[str]) -> None:
        super().__init__(student, count, taps, names)
        self.leaves[0].requires_grad_(False)


class StillStatistics(GroupedStack):
    def read(self, student: int) -> dict[str, Tensor]:
        state = super().read(student)
        return {name: 0 * value if "running_mean" in name else value for name, value in state.items()}


class SwappedStudents(GroupedStack):
    def apart(self, tap: Tensor) -> tuple[Tensor, ...]:
        return super().apart(tap)[::-1]


class SwappedScores(GroupedStack):
    def together(self, tap: Tensor) -> Tensor:
        return super().together(tap).flip(0)


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        (DoubledGradients, "gradient of .* differs"),
        (LostGradients, "gets a gradient in one way of training only"),
        (StillStatistics, "running_mean differs"),
        (SwappedStudents, "differs"),
        (SwappedScores, "of all students differs"),
    ],
)
def test_a_wrong_stack_is_refused(stack: type[GroupedStack], reason: str) -> None:
    torch.manual_seed(0)
    students = [build("cnn2", num_classes=4, in_channels=1) for _ in range(3)]
    taps = find_taps(students[0], IMAGES)
    with pytest.raises(FuseError, match=reason):
        check_stack(stack, students, taps, IMAGES)
    check_stack(GroupedStack, students, taps, IMAGES)
