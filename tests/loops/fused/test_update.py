"""The step of many students is the step of each, recomputed with torch's own clipping and optimiser."""

import pytest
import torch
from torch import nn

from kdzero_gp.loops.fused.stack import Stack
from kdzero_gp.loops.fused.update import FusedUpdate
from kdzero_gp.loops.fused.ways import _MAKERS, WAYS, Way
from kdzero_gp.models import build
from kdzero_gp.taps.find import find_taps
from kdzero_gp.tasks.recipe import Recipe

RECIPE = Recipe(epochs=1, batch_size=2, lr=0.1, clip=1.0)
STUDENTS = 3
OWN = (2, 0, 1)
"""Parameters of each student's distiller."""


def make(way: Way) -> tuple[Stack, list[list[nn.Parameter]], nn.Module]:
    torch.manual_seed(0)
    student = build("cnn2", num_classes=4, in_channels=1).double()
    taps = find_taps(student, torch.zeros(1, 1, 8, 8, dtype=torch.float64))
    own = [[nn.Parameter(torch.randn(3, 2).double()) for _ in range(count)] for count in OWN]
    return _MAKERS[way](student, STUDENTS, taps, tuple(taps)), own, student


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0.01, 100.0])
def test_equals_clipping_and_stepping_one_by_one(way: Way, size: float) -> None:
    stack, own, student = make(way)
    update = FusedUpdate(stack, own, RECIPE)
    generator = torch.Generator().manual_seed(1)
    alone = []
    for number in range(STUDENTS):
        parameters = [nn.Parameter(p.detach().clone()) for p in (*student.parameters(), *own[number])]
        alone.append((parameters, RECIPE.make_optimiser(parameters)))
    for rate in (0.1, 0.05):
        for leaf in stack.leaves:
            leaf.grad = torch.empty_like(leaf)
        for number, (parameters, optimiser) in enumerate(alone):
            gradients = [
                size * (1 + number) * torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters
            ]
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            for leaf, gradient in zip(stack.leaves, gradients, strict=False):
                stack.split(leaf.grad)[number].copy_(gradient.reshape(stack.split(leaf.grad)[number].shape))
            for parameter, gradient in zip(own[number], gradients[len(stack.leaves) :], strict=True):
                parameter.grad = gradient.clone()
            nn.utils.clip_grad_norm_(parameters, RECIPE.clip)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()
        update.step(rate, None)
    for number, (parameters, optimiser) in enumerate(alone):
        state = stack.read(number)
        for (name, _), parameter in zip(student.named_parameters(), parameters, strict=False):
            torch.testing.assert_close(state[name], parameter.detach(), rtol=1e-12, atol=1e-12)
        for mine, theirs in zip(own[number], parameters[len(stack.leaves) :], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
        for mine_momentum, parameter in zip(update.momentum(number), parameters, strict=True):
            theirs_momentum = optimiser.state[parameter]["momentum_buffer"]
            assert mine_momentum is not None
            torch.testing.assert_close(
                mine_momentum.reshape(theirs_momentum.shape), theirs_momentum, rtol=1e-12, atol=1e-12
            )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["student", "distiller"])
def test_what_is_not_finite_stays_in_its_row(way: Way, value: float, place: str) -> None:
    stack, own, _ = make(way)
    update = FusedUpdate(stack, own, RECIPE)
    for leaf in [*stack.leaves, *own[0], *own[2]]:
        leaf.grad = torch.ones_like(leaf)
    bad = stack.split(stack.leaves[0].grad)[2] if place == "student" else own[2][0].grad
    assert bad is not None
    bad.fill_(value)
    update.step(0.1, None)
    for number in (0, 1):
        assert all(bool(tensor.isfinite().all()) for tensor in stack.read(number).values())
        assert all(bool(parameter.isfinite().all()) for parameter in own[number])
    hurt = [*stack.read(2).values(), *own[2]]
    assert not all(bool(tensor.isfinite().all()) for tensor in hurt)


def test_only_students_alive_move_by_their_gradients() -> None:
    stack, own, _ = make("grouped")
    before = {name: value.clone() for name, value in stack.read(1).items()}
    update = FusedUpdate(stack, own, Recipe(epochs=1, batch_size=2, lr=0.1, weight_decay=0.0))
    for leaf in stack.leaves:
        leaf.grad = torch.ones_like(leaf)
    update.step(0.1, torch.tensor([True, False, True]))
    assert all(torch.equal(value, before[name]) for name, value in stack.read(1).items())
    assert not torch.equal(stack.read(0)["fc.weight"], before["fc.weight"])
