"""Route-constrained optimisation: plain distillation by one earlier teacher after another."""

import copy

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.registry import method
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import assert_same, knowledge, prepared


def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for own, other in zip(s["logits"], t["logits"], strict=True):
        p_s, p_t = ((z / 4).exp() / (z / 4).exp().sum() for z in (own, other))
        for a, b in zip(p_t, p_s, strict=True):
            total = total + a * (a.log() - b.log())
    return 0.9 * 16 * total / 4


def test_its_loss_is_plain_distillation() -> None:
    student, teacher = knowledge(0, gradient=True), knowledge(50)
    assert_same(prepared("rco", student, teacher), by_hand, student, teacher)
    assert method("rco").ce_weight == 0.1


def test_each_quarter_of_one_schedule_has_the_teacher_of_that_quarter(task: Task) -> None:
    """The same steps as four trainings by `kd` that hand student and momentum on, each under its own teacher."""
    rco = Training(task, make_loss(None, "rco", ()), task.recipe, student_seed=1, order_seed=2)
    kd = Training(task, Distiller("weight(0.9, kl(logits, 4))"), task.recipe, student_seed=1, order_seed=2)
    assert rco.rates == kd.rates
    assert [segment.end for segment in rco.schedule.segments] == [3, 6, 9, 12]
    for quarter, end in enumerate((3, 6, 9, 12), 1):
        earlier = copy.copy(task) if quarter == 4 else task.at_anchor(quarter / 4)
        kd.feed = earlier.feed(("logits",))
        kd.advance(end)
        rco.advance(end)
    for mine, theirs in zip(rco.student.parameters(), kd.student.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    scores = [task.at_anchor(share).teacher_probe(("logits",), 8)["logits"] for share in (0.25, 0.5)]
    assert not torch.equal(*scores)


def test_a_teacher_of_unknown_past_is_refused(task: Task) -> None:
    unknown = copy.copy(task)
    unknown._route = None
    with pytest.raises(ConfigError, match="came with its weights"):
        Training(unknown, make_loss(None, "rco", ()), task.recipe, student_seed=1, order_seed=2)
