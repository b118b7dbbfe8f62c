"""Fine-grained imitation against its formula in plain loops, and the positions that it chooses."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.wang import FineGrained, strongest_half
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared, random


def chosen(x: Tensor) -> list[tuple[int, int]]:
    """The stronger half of the positions of one map (C, H, W)."""
    _, H, W = x.shape
    places = [(float(x[:, i, j].abs().sum()), i, j) for i in range(H) for j in range(W)]
    return [(i, j) for _, i, j in sorted(places, reverse=True)[: H * W // 2]]


@pytest.mark.parametrize(("text", "norm", "margin"), [("wang", "l2", 0), ('wang(norm="l1", margin=0.25)', "l1", 0.25)])
def test_it_is_the_error_where_the_teacher_is_strong(text: str, norm: str, margin: float) -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared(text, student, teacher, stages=("stage1", "stage2"))
    assert isinstance(loss, FineGrained)
    convolution = loss.adapt[0]
    assert isinstance(convolution, nn.Conv2d)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        adapted = F.conv2d(s["stage2"], convolution.weight, convolution.bias, padding=1).clamp(min=0)
        total, count = torch.zeros((), dtype=torch.float64), 0
        for own, other in zip(adapted, t["stage2"], strict=True):
            for i, j in chosen(other):
                count += 1
                for a, b in zip(own[:, i, j], other[:, i, j], strict=True):
                    total = total + ((a - b) ** 2 if norm == "l2" else ((a - b).abs() - margin).clamp(min=0))
        assert count == 4 * 8
        return 0.01 * total / (2 * count)

    assert_same(loss, by_hand, student, teacher)


def test_half_of_the_positions_are_chosen_and_one_at_least() -> None:
    maps = random(3, 2, 3, 3, seed=0)
    mask = strongest_half(maps)
    assert mask.sum((1, 2)).tolist() == [4, 4, 4]
    for n in range(3):
        assert {(i, j) for i in range(3) for j in range(3) if float(mask[n, i, j]) == 1} == set(chosen(maps[n]))
    assert strongest_half(maps[:, :, :1, :1]).tolist() == [[[1]], [[1]], [[1]]]
    assert strongest_half(torch.zeros(1, 2, 2, 2)).sum() == 2


def test_equal_maps_behind_the_identity_cost_nothing() -> None:
    both = Knowledge(**{n: tap.abs().detach().requires_grad_() for n, tap in knowledge(0).items()})
    loss = prepared("wang", both, both)
    assert isinstance(loss, FineGrained)
    convolution = loss.adapt[0]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    assert float(convolution.weight.std().detach()) == pytest.approx(1e-4, rel=0.2)
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[:, :, 1, 1] = torch.eye(6)
        convolution.bias.zero_()
    value = loss(both, both.detach(), TARGETS)
    assert float(value.detach()) == 0
    assert not bool(gradients(value, both)["stage3"].any())
