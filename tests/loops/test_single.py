"""A training that stops anywhere and goes on in another object is the training that never stopped."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp import Distiller
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.schedule import batches
from kdzero_gp.loops.single import Training
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

SEEDS = {"student_seed": 5, "order_seed": 6}
FORMULAS = [None, "weight(1, kl(logits, 4))", "add(weight(5, l2(mask(stage1))), weight(1, l2(drop(stage2))))"]


def adamw(task: Task) -> Recipe:
    return replace(task.proxy, optimiser="adamw", lr=0.01, nesterov=False)


def training(task: Task, formula: str | None) -> Training:
    return Training(task, Distiller(formula, seed=7) if formula else None, task.proxy, **SEEDS)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("stops", [(1,), (4, 5), (3, 6, 9)])
def test_stopped_and_gone_on_it_is_the_same_bit_for_bit(
    task: Task, formula: str | None, stops: tuple[int, ...]
) -> None:
    whole = training(task, formula)
    whole.advance(whole.steps)
    current = training(task, formula)
    for stop in (*stops, whole.steps):
        current.advance(stop)
        assert current.step == stop
        state = current.state()
        torch.manual_seed(stop)  # nobody's business
        current = training(task, formula)
        current.restore(state)
    assert current.state().keys() == whole.state().keys()
    for name, value in whole.state().items():
        assert torch.equal(current.state()[name], value), name


def test_adamw_and_a_distillers_warm_up_go_on_bit_for_bit(task: Task) -> None:
    def one() -> Training:
        return Training(task, Distiller(FORMULAS[2], seed=7), adamw(task), **SEEDS, distiller_warmup=6)

    whole = one()
    whole.advance(whole.steps)
    begun = one()
    begun.advance(4)
    resumed = one()
    resumed.restore(begun.state())
    resumed.advance(resumed.steps)
    assert any(name.startswith("exp_avg_sq.") for name in whole.state())
    for name, value in whole.state().items():
        assert torch.equal(resumed.state()[name], value), name


def test_a_distillers_weight_rises_linearly_over_its_warm_up(task: Task) -> None:
    """The same as a distiller whose calibration is scaled by hand before every step."""
    rising = Training(task, Distiller(FORMULAS[1]), task.proxy, **SEEDS, distiller_warmup=4)
    by_hand = Training(task, Distiller(FORMULAS[1]), task.proxy, **SEEDS)
    for step in range(1, 7):
        assert by_hand.distiller is not None
        by_hand.distiller.set_calibration([min(1.0, step / 4)])
        rising.advance(step)
        by_hand.advance(step)
    for mine, theirs in zip(rising.student.parameters(), by_hand.student.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)
    cold = Training(task, Distiller(FORMULAS[1]), task.proxy, **SEEDS)
    cold.advance(6)
    assert any(
        not torch.equal(a, b) for a, b in zip(cold.student.parameters(), rising.student.parameters(), strict=True)
    )


def test_students_in_one_program_take_sgd_alone(task: Task) -> None:
    with pytest.raises(FuseError, match="optimiser is adamw"):
        FusedTraining(task, [None, None], adamw(task), **SEEDS)


def test_a_state_is_a_copy(task: Task) -> None:
    one = training(task, FORMULAS[2])
    one.advance(2)
    state = one.state()
    kept = {name: value.clone() for name, value in state.items()}
    one.advance(6)
    assert all(torch.equal(state[name], value) for name, value in kept.items())


def test_it_is_the_plain_loop(task: Task) -> None:
    """SGD with Nesterov momentum, weight decay and a clipped norm, written out."""
    recipe = replace(task.proxy, epochs=1, clip=0.5)
    trained = Training(task, None, recipe, **SEEDS)
    trained.advance(trained.steps)
    student = task.student(SEEDS["student_seed"]).train()
    velocity: list[Tensor | None] = [None] * len(list(student.parameters()))
    images, labels = task.all_images("train"), task.targets("train")
    rates = recipe.learning_rates(trained.steps)
    clipped = 0
    for batch, rate in zip(batches(len(labels), recipe, SEEDS["order_seed"]), rates, strict=True):
        student.zero_grad()
        functional.cross_entropy(student(images[batch]), labels[batch]).backward()
        total = sum(float(p.grad.double().square().sum()) for p in student.parameters()) ** 0.5
        clipped += total > recipe.clip
        with torch.no_grad():
            for place, parameter in enumerate(student.parameters()):
                step = parameter.grad * min(1.0, recipe.clip / (total + 1e-6)) + recipe.weight_decay * parameter
                before = velocity[place]
                velocity[place] = step if before is None else recipe.momentum * before + step
                parameter -= rate * (step + recipe.momentum * velocity[place])
    assert clipped > 0
    for mine, theirs in zip(student.parameters(), trained.student.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


class WithDropout(nn.Module):
    """A student with randomness of its own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.dropout = inner, nn.Dropout(0.3)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(self.dropout(images))


def test_a_students_own_randomness_depends_on_the_order_seed_alone(task: Task) -> None:
    def run(order_seed: int, stop: int, noise: int) -> Tensor:
        torch.manual_seed(noise)
        student = WithDropout(task.student(5))
        one = Training.of(task, student, None, task.proxy, order_seed=order_seed)
        one.advance(stop)
        state = one.state()
        torch.manual_seed(noise + 1)
        other = Training.of(task, WithDropout(task.student(5)), None, task.proxy, order_seed=order_seed)
        other.restore(state)
        other.advance(other.steps)
        return torch.cat([p.detach().flatten() for p in other.student.parameters()])

    global_state = torch.get_rng_state()
    assert torch.equal(run(6, 3, 1), run(6, 8, 2))
    torch.manual_seed(9)
    before = torch.get_rng_state()
    training(task, FORMULAS[2]).advance(4)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random state is left alone"
    torch.set_rng_state(global_state)


def test_a_restarted_schedule_rises_and_falls_in_every_part(task: Task) -> None:
    recipe = replace(task.proxy, restarts=(4, 7))
    rates = recipe.learning_rates(12)
    plain = replace(task.proxy, restarts=())
    assert rates == [*plain.learning_rates(4), *plain.learning_rates(3), *plain.learning_rates(5)]
