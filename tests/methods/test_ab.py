"""Activation boundaries against their formula in plain loops, and what each of their two phases trains."""

import pytest
import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.ab import BOUNDARIES, ActivationBoundaries
from kdzero_gp.methods.named import make_loss
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import assert_same, knowledge, prepared


def element(s: Tensor, t: Tensor) -> Tensor:
    if float(s.detach()) > -1 and float(t) <= 0:
        return (s + 1) ** 2
    if float(s.detach()) <= 1 and float(t) > 0:
        return (s - 1) ** 2
    return torch.zeros((), dtype=torch.float64)


def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
    """3/1000 · Σ 2^(i − 2) · sum / N over three stages; the student's maps as they are."""
    total = torch.zeros((), dtype=torch.float64)
    for place, tap in enumerate(("pre1", "pre2", "pre3")):
        for own, other in zip(s[tap].flatten(), t[tap].flatten(), strict=True):
            total = total + 0.003 * 2 ** (place - 2) * element(own, other) / 4
    return total


def test_it_is_the_squared_way_to_the_right_side_of_the_boundary() -> None:
    student, teacher = knowledge(0, channels=3, gradient=True), knowledge(50, channels=3)
    loss = prepared("ab", student, teacher)
    assert not list(loss.parameters())  # equal shapes need no connector
    assert_same(loss, by_hand, student, teacher)


def test_maps_beyond_their_margins_cost_nothing() -> None:
    teacher = knowledge(50)
    student = teacher.map(lambda tap: (3 * tap.sign()).requires_grad_())
    value = prepared("ab", student, teacher)(student, teacher)
    assert float(value.detach()) == 0


def test_other_channels_and_sizes_meet_behind_a_connector() -> None:
    student = knowledge(0, channels=3, pre1=(4, 3, 16, 16), pre3=(4, 3, 1, 1))
    teacher = knowledge(50, channels=5)
    loss = prepared("ab", student, teacher)
    assert isinstance(loss, ActivationBoundaries)
    for tap in ("pre1", "pre2", "pre3"):
        assert loss.connectors[tap](student[tap]).shape == teacher[tap].shape
    kinds = [type(loss.connectors[tap][0]).__name__ for tap in ("pre1", "pre2", "pre3")]
    assert kinds == ["Conv2d", "Conv2d", "ConvTranspose2d"]


def test_features_and_connectors_train_first_and_the_student_alone_after(task: Task) -> None:
    """30 of 240 epochs are at least one; the second phase sees the batches and views that every other method sees."""
    loss = make_loss(None, "ab", task.student_taps.stages)
    training = Training(task, loss, task.recipe, student_seed=1, order_seed=2)
    alone = Training(task, None, task.recipe, student_seed=1, order_seed=2)
    per_epoch = training.per_epoch
    assert training.steps == alone.steps + per_epoch
    assert training.epochs == task.recipe.epochs + 1
    assert all(torch.equal(a, b) for a, b in zip(training.order[per_epoch:], alone.order, strict=True))
    assert training.schedule.epochs[per_epoch:] == alone.schedule.epochs
    assert training.rates[per_epoch:] == alone.rates
    assert set(training.rates[:per_epoch]) == {task.recipe.lr}
    assert training.method is not None

    def weights() -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in training.student.named_parameters()}

    began = weights()
    training.advance(per_epoch - 1)
    assert training.segment.phase.name == BOUNDARIES
    assert not training.student.fc.weight.requires_grad
    training.advance(per_epoch)
    between = weights()
    moved = {name for name, value in between.items() if not torch.equal(value, began[name])}
    assert moved == {name for name in began if not name.startswith("fc.")}
    assert not training.optimiser.state  # the second phase has an optimiser of its own
    connectors = [parameter.detach().clone() for parameter in training.method.learned()]
    training.advance(training.steps)
    assert all(not torch.equal(value, between[name]) for name, value in weights().items())
    assert all(torch.equal(a, b) for a, b in zip(connectors, training.method.learned(), strict=True))


def test_its_second_phase_is_cross_entropy_alone(task: Task) -> None:
    """From one state on it takes the steps of the student alone."""
    training = Training(
        task, make_loss(None, "ab", task.student_taps.stages), task.recipe, student_seed=1, order_seed=2
    )
    training.advance(training.per_epoch)
    alone = Training(task, None, task.recipe, student_seed=5, order_seed=2)
    alone.student.load_state_dict(training.student.state_dict())
    training.advance(training.steps)
    alone.advance(alone.steps)
    for mine, theirs in zip(training.student.parameters(), alone.student.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_the_margin_is_an_option(margin: float) -> None:
    student = knowledge(0, channels=1).map(lambda tap: torch.zeros_like(tap).requires_grad_())
    teacher = knowledge(50, channels=1)
    value = float(prepared(f"ab(margin={margin})", student, teacher)(student, teacher).detach())
    assert value == pytest.approx(0.003 * margin**2 * (64 / 4 + 16 / 2 + 4))
