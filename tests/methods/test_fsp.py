"""FSP against its formula in plain loops: before the schedule, or beside the labels."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.fsp import Fsp
from kdzero_gp.methods.registry import method
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared

STEM = (4, 6, 8, 8)


def pooled(maps: Tensor, size: int) -> Tensor:
    step = len(maps[0]) // size
    rows = [
        [maps[:, i * step : (i + 1) * step, j * step : (j + 1) * step].mean((1, 2)) for j in range(size)]
        for i in range(size)
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def flow(x: Tensor, y: Tensor) -> list[list[Tensor]]:
    """Of one sample's maps (C, H, W)."""
    size = min(x.shape[1], y.shape[1])
    x, y = pooled(x, size), pooled(y, size)
    return [[sum((a * b).flatten()) / size**2 for b in y] for a in x]


def distance(s: Knowledge, t: Knowledge, names: tuple[str, ...]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for one, following in pairwise(names):
        for n in range(4):
            ours, theirs = (flow(side[one][n], side[following][n]) for side in (s, t))
            for row, other in zip(ours, theirs, strict=True):
                for a, b in zip(row, other, strict=True):
                    total = total + (a - b) ** 2 / (4 * len(ours) * len(row))
    return total


def test_it_is_the_flow_from_the_stem_on() -> None:
    student, teacher = knowledge(0, gradient=True, stem=STEM), knowledge(50, stem=STEM)
    loss = prepared("fsp", student, teacher)
    names = ("stem", "stage1", "stage2", "stage3")
    assert_same(loss, lambda s, t: distance(s, t, names), student, teacher)
    assert loss.learned() == []
    assert [phase.distils for phase in loss.phases] == [True, False]
    assert loss.phases[0].extra_epochs == 30
    same = loss(student, student.detach(), TARGETS)
    assert float(same.detach()) == 0
    assert all(float(gradient.abs().max()) == 0 for gradient in gradients(same, student).values())


def test_other_channels_meet_behind_a_learned_convolution() -> None:
    student = knowledge(0, channels=5, gradient=True, stem=(4, 5, 8, 8))
    teacher = knowledge(50, channels=3, stem=(4, 3, 8, 8))
    loss = prepared("fsp", student, teacher)
    assert isinstance(loss, Fsp)
    connectors = loss.connectors

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        names = ("stem", "stage1", "stage2", "stage3")
        moved = {}
        for name in names:
            convolution = connectors[name]
            assert isinstance(convolution, nn.Conv2d)
            kernel = convolution.weight[:, :, 0, 0]
            moved[name] = torch.stack(
                [sum(k * c for k, c in zip(row, s[name].unbind(1), strict=True)) for row in kernel], 1
            )
        return distance(Knowledge(**moved), t, names)

    assert_same(loss, by_hand, student, teacher)


@pytest.mark.parametrize("names", [("stage1", "stage2", "stage3"), ("stage1",)])
def test_the_joint_form_is_a_tree_of_weight_50(names: tuple[str, ...]) -> None:
    student, teacher = knowledge(0, gradient=True), knowledge(50)
    tree = Distiller(method("fsp_joint").tree(names)).prepare(student, teacher).double()
    wanted = distance(student, teacher, names if len(names) > 1 else names * 2)
    torch.testing.assert_close(tree(student, teacher, TARGETS), 50 * wanted, rtol=1e-7, atol=1e-9)
