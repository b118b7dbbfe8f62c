"""Jacobian matching against gradients taken image by image."""

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.registry import method
from kdzero_gp.methods.world import Now
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import TARGETS, random


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(18, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def slopes(model: nn.Module, images: Tensor, *, trained: bool) -> list[Tensor]:
    """∂z_y / ∂image of one image after another, of norm 1."""
    found = []
    for image, label in zip(images, TARGETS.tolist(), strict=True):
        leaf = image[None].detach().requires_grad_()
        (slope,) = torch.autograd.grad(model(leaf)[0, label], leaf, create_graph=trained)
        found.append(slope / slope.square().sum().sqrt())
    return found


def test_it_is_the_distance_of_normalised_input_gradients() -> None:
    student, teacher, images = network(0), network(1).requires_grad_(False), random(4, 2, 3, 3, seed=2)
    live = images.clone().requires_grad_()
    loss = method("jacobian").loss([])
    value = loss(Knowledge(logits=student(live)), Knowledge(logits=teacher(live)), TARGETS, Now(images=live))
    pairs = zip(slopes(student, images, trained=True), slopes(teacher, images, trained=False), strict=True)
    wanted = 20 * torch.stack([(a - b).square().sum() for a, b in pairs]).sum() / images.numel()
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)
    parameters = list(student.parameters())
    ours, theirs = (torch.autograd.grad(v, parameters, allow_unused=True) for v in (value, wanted))
    for mine, other in zip(ours[:3], theirs[:3], strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-11)
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_equal_networks_give_nothing() -> None:
    model, images = network(0), random(4, 2, 3, 3, seed=2).requires_grad_()
    knowledge = Knowledge(logits=model(images))
    value = method("jacobian").loss([])(knowledge, Knowledge(logits=model(images)), TARGETS, Now(images=images))
    assert float(value.detach()) == 0
    assert all(
        gradient is None or float(gradient.abs().max()) == 0
        for gradient in torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    )


def test_in_training_the_teacher_runs_live_and_the_images_carry_the_graph(task: Task) -> None:
    training = Training(task, make_loss(None, "jacobian", ()), task.recipe, student_seed=1, order_seed=2)
    training.advance(2)
    moment = training._now
    assert moment.images.requires_grad
    assert moment.teacher is not None
    fresh = moment.images.detach().requires_grad_()
    scores = moment.teacher(fresh)["logits"]
    cached = task.teacher_knowledge("train", ("logits",))["logits"][training.order[1]]
    torch.testing.assert_close(scores.detach(), cached, rtol=1e-4, atol=1e-4)
    assert bool((torch.autograd.grad(scores.sum(), fresh)[0] != 0).any())
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
