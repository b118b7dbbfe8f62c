"""Knowledge projection against its formula in plain loops, and how pairs of stages are dropped."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.kp import KnowledgeProjection
from kdzero_gp.methods.world import Now
from tests.methods.conftest import STAGES, TARGETS, assert_same, gradients, knowledge, prepared


def gap(loss: KnowledgeProjection, stage: str, s: Knowledge, t: Knowledge) -> Tensor:
    """mean |ReLU(P_s·s) − ReLU(P_t·t)|, the rows of P_t of norm 1."""
    layers: Any = loss.project_student[stage], loss.project_teacher[stage]
    ours, theirs = (layer.weight[:, :, 0, 0] for layer in layers)
    total, count = torch.zeros((), dtype=torch.float64), 0
    for own, other in zip(s[stage], t[stage], strict=True):
        for i in range(own.shape[1]):
            for j in range(own.shape[2]):
                for row, turned in zip(ours, theirs, strict=True):
                    a = (row @ own[:, i, j]).clamp(min=0)
                    b = (turned @ other[:, i, j] / (turned**2).sum().sqrt()).clamp(min=0)
                    total, count = total + (a - b).abs(), count + 1
    return total / count


def test_it_is_the_distance_of_projections_with_a_falling_weight() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("kp(weight=2)", student, teacher)
    assert isinstance(loss, KnowledgeProjection)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        return 2 * 0.95 * torch.stack([gap(loss, stage, s, t) for stage in STAGES]).sum()

    assert_same(loss, by_hand, student, teacher, now=Now(share=0.05))


def test_the_worst_pair_goes_after_each_tenth_until_one_is_left() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("kp", student, teacher)
    assert isinstance(loss, KnowledgeProjection)
    gaps = {stage: float(gap(loss, stage, student, teacher).detach()) for stage in STAGES}
    best_first = sorted(STAGES, key=lambda stage: gaps[stage])
    for share, count in ((0.0, 3), (0.09, 3), (0.1, 2), (0.15, 2), (0.2, 1), (0.3, 1), (0.95, 1)):
        value = loss(student, teacher, TARGETS, Now(share=share))
        wanted = (1 - share) * sum(gaps[stage] for stage in best_first[:count])
        assert float(value.detach()) == pytest.approx(wanted, rel=1e-9)
        reached = {name for name, slope in gradients(value, student).items() if bool(slope.any())}
        assert reached == set(best_first[:count])


def test_what_a_tenth_has_seen_is_forgotten_in_the_next() -> None:
    """The pair that was best in the first tenth goes after the second if it is the worst there."""
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("kp", student, teacher)
    assert isinstance(loss, KnowledgeProjection)
    loss.sums.copy_(torch.tensor([9.0, 1.0, 5.0]))
    loss._prune(1)
    assert loss.left.tolist() == [0, 1, 1]
    assert loss.sums.tolist() == [0, 0, 0]
    loss.sums.copy_(torch.tensor([99.0, 7.0, 5.0]))  # the first is out already
    loss._prune(1)
    assert loss.left.tolist() == [0, 1, 1]
    loss._prune(2)
    assert loss.left.tolist() == [0, 0, 1]


def test_projections_of_the_teacher_cannot_shrink_and_the_students_begin_as_nothing() -> None:
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("kp", student, teacher)
    assert isinstance(loss, KnowledgeProjection)
    before = float(loss(student, teacher).detach())
    with torch.no_grad():
        for stage in STAGES:
            layers: Any = loss.project_teacher[stage], loss.project_student[stage]
            layers[0].weight.mul_(1e-3)
            assert torch.equal(layers[1].weight[:, :, 0, 0], torch.eye(5, dtype=torch.float64))
    assert float(loss(student, teacher).detach()) == pytest.approx(before, rel=1e-9)


def test_equal_maps_behind_equal_projections_cost_nothing() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("kp", both, both)
    assert isinstance(loss, KnowledgeProjection)
    for stage in STAGES:
        loss.project_teacher[stage].load_state_dict(loss.project_student[stage].state_dict())
    value = loss(both, both.detach())
    assert float(value.detach()) == 0
    assert not any(bool(slope.any()) for slope in gradients(value, both).values())
