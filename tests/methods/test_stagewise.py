"""Kulkarni's and Gao's phases: one stage at a time, then the classifier."""

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.world import Now
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import STAGES, TARGETS, assert_same, gradients, knowledge, prepared


@pytest.mark.parametrize("name", ["kulkarni", "gao"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_phase_compares_its_stage_alone(name: str, stage: str) -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared(f"{name}(weight=2)", student, teacher)
    convolution = getattr(loss, f"connect_{stage}")
    assert isinstance(convolution, nn.Conv2d)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for own, other in zip(s[stage], t[stage], strict=True):
            for row, wanted in zip(convolution.weight[:, :, 0, 0], other, strict=True):
                given = sum(k * c for k, c in zip(row, own, strict=True))
                total = total + 2 * ((given - wanted) ** 2).sum() / t[stage].numel()
        return total

    found = assert_same(loss, by_hand, student, teacher, now=Now(phase=stage))
    assert set(found) == {stage}


def test_equal_maps_need_no_convolution_and_give_nothing() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("kulkarni", both, both)
    value = loss(both, both.detach(), TARGETS, Now(phase="stage2"))
    assert float(value.detach()) == 0
    assert float(gradients(value, both)["stage2"].abs().max()) == 0
    assert loss.learned() == []


@pytest.mark.parametrize(("name", "ends"), [("kulkarni", [3, 6, 9, 12]), ("gao", [2, 5, 7, 12])])
def test_what_moves_in_every_phase(task: Task, name: str, ends: list[int]) -> None:
    stages = task.student_taps.stages
    training = Training(task, make_loss(None, name, stages), task.recipe, student_seed=1, order_seed=2)
    network = task.student_network(training.student)
    parts = {part: network.parameters(part) for part in (*stages, "head")}
    assert [segment.end for segment in training.schedule.segments] == ends
    for place, end in enumerate(ends):
        before = {part: [p.detach().clone() for p in own] for part, own in parts.items()}
        training.advance(end)
        moved = [
            part
            for part, own in parts.items()
            if any(not torch.equal(a, b) for a, b in zip(before[part], own, strict=True))
        ]
        if place == len(stages):
            assert moved == ["head"]
        else:
            assert moved == ([stages[place]] if name == "kulkarni" else list(stages[: place + 1]))
