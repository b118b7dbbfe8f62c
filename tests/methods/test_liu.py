"""Knowledge flow, in its reduced form, against its formula in plain loops."""

from typing import Any

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.liu import KnowledgeFlow
from tests.methods.conftest import STAGES, TARGETS, assert_same, gradients, knowledge, prepared


def softened(scores: Tensor) -> Tensor:
    return (scores / 4).exp() / (scores / 4).exp().sum()


def by_hand(loss: KnowledgeFlow, s: Knowledge, t: Knowledge) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for stage in STAGES:
        layers: Any = loss.transform_student[stage], loss.transform_teacher[stage]
        for own, other in zip(s[stage], t[stage], strict=True):
            means = [torch.stack([c.sum() / c.numel() for c in maps]) for maps in (own, other)]
            ours = torch.stack([row @ means[0] for row in layers[0].weight])
            theirs = torch.stack([row @ means[1] / (row**2).sum().sqrt() for row in layers[1].weight])
            for a, b in zip(softened(ours), softened(theirs), strict=True):
                total = total + 16 * b * (b / a).log() / 4
    return total


def test_it_is_the_divergence_of_transformed_averages() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("liu", student, teacher)
    assert isinstance(loss, KnowledgeFlow)
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)
    shapes = [tuple(layer.weight.shape) for layer in loss.modules() if isinstance(layer, torch.nn.Linear)]
    assert shapes == [(5, 5)] * 3 + [(5, 7)] * 3


def test_both_matrices_learn_and_the_teachers_cannot_shrink() -> None:
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("liu", student, teacher)
    assert isinstance(loss, KnowledgeFlow)
    value = loss(student, teacher)
    value.backward()
    assert all(bool(parameter.grad is not None and parameter.grad.any()) for parameter in loss.parameters())
    with torch.no_grad():
        for parameter in loss.transform_teacher.parameters():
            parameter.mul_(1e-3)
    torch.testing.assert_close(loss(student, teacher), value, rtol=1e-9, atol=1e-12)


def test_equal_maps_behind_equal_matrices_cost_nothing() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("liu", both, both)
    assert isinstance(loss, KnowledgeFlow)
    with torch.no_grad():
        for stage in STAGES:
            for layers in (loss.transform_student, loss.transform_teacher):
                layer: Any = layers[stage]
                layer.weight.copy_(torch.eye(6))
    value = loss(both, both.detach(), TARGETS)
    assert abs(float(value.detach())) < 1e-12
    for slope in gradients(value, both).values():
        assert float(slope.abs().max()) < 1e-12
