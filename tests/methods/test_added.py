"""A tree beside a method that is a module."""

import pytest
import torch

from kdzero_gp import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.added import AddedTree
from kdzero_gp.methods.named import make_loss, named_distiller
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import STAGES, TARGETS, knowledge

TREE = "weight(2, kl(logits, 4))"


def test_the_sum_is_what_both_are_alone() -> None:
    student, teacher = knowledge(0), knowledge(50)
    both = make_loss(TREE, "cc", STAGES, calibration=[3.0], seed=5)
    assert isinstance(both, AddedTree)
    value = both(student.map(torch.Tensor.float), teacher.map(torch.Tensor.float), TARGETS)
    alone = make_loss(None, "cc", STAGES, seed=5), Distiller(TREE, calibration=[3.0])
    parts = [one(student.map(torch.Tensor.float), teacher.map(torch.Tensor.float), TARGETS) for one in alone if one]
    torch.testing.assert_close(value, parts[0] + parts[1])
    assert list(both.terms()) == ["cc", TREE]


def test_it_is_named_by_a_plus() -> None:
    named = named_distiller(f"crd(negatives=5) + {TREE}", STAGES)
    assert (named.module, str(named.tree), named.ce_weight) == ("crd(negatives=5)", TREE, 1.0)
    other_way = named_distiller("kd + review", STAGES)
    assert other_way.module == "review"
    assert str(other_way.tree) == "weight(0.9, kl(logits, 4))"
    assert (other_way.ce_weight, other_way.warmup_epochs) == (0.1, 0)
    with pytest.raises(ConfigError, match="two methods that are modules"):
        named_distiller("crd + review", STAGES)
    with pytest.raises(ConfigError, match="student alone"):
        named_distiller("none + review", STAGES)


@pytest.mark.parametrize("base", ["ab", "ksanc", "simkd"])
def test_it_goes_on_bit_for_bit_where_its_base_has_phases_or_a_critic(task: Task, base: str) -> None:
    def one() -> Training:
        loss = make_loss("weight(1, l2(mask(stage1)))", base, task.student_taps.stages, seed=5)
        return Training(task, loss, task.recipe, student_seed=1, order_seed=2)

    whole, begun = one(), one()
    whole.advance(whole.steps)
    begun.advance(7)
    resumed = one()
    resumed.restore(begun.state())
    resumed.advance(resumed.steps)
    for name, value in whole.state().items():
        assert torch.equal(resumed.state()[name], value), name
