"""KSANC against its formula in plain loops; its critic learns apart from the student."""

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.ksanc import Ksanc
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.world import Now
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import STAGES, TARGETS, assert_same, gradients, knowledge, prepared


def judged(loss: Ksanc, scores: Tensor) -> Tensor:
    value = scores
    assert isinstance(loss.critic, torch.nn.Sequential)
    for place in (0, 2, 4):
        value = (loss.critic[place].weight @ value + loss.critic[place].bias).clamp(min=0)
    return (loss.critic[6].weight @ value + loss.critic[6].bias)[0]


def by_hand(loss: Ksanc, s: Knowledge, t: Knowledge) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for stage in STAGES:
        linear = loss.linears[stage]
        for own, other in zip(s[stage], t[stage], strict=True):
            vectors = [torch.stack([channel.sum() / channel.numel() for channel in side]) for side in (own, other)]
            gap = linear.weight @ vectors[0] + linear.bias - vectors[1]
            total = total + (gap**2).sum() / (4 * len(gap))
    for own, other in zip(s["logits"], t["logits"], strict=True):
        total = total + ((own - other) ** 2).sum() / 12
        total = total + 0.1 * torch.log(1 + torch.exp(-judged(loss, own))) / 4
    return total


def test_it_is_squeezed_vectors_logits_and_a_critic_to_fool() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ksanc", student, teacher)
    assert isinstance(loss, Ksanc)
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)


def test_the_critic_tells_teachers_from_students_scores() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ksanc(third=0.25)", student, teacher)
    assert isinstance(loss, Ksanc)
    wanted = 0.0
    for own, other in zip(student["logits"].detach(), teacher["logits"], strict=True):
        real, fake = float(judged(loss, other).detach().sigmoid()), float(judged(loss, own).detach().sigmoid())
        wanted -= float(torch.tensor(real).log() + torch.tensor(1 - fake).log() + 0.25 * torch.tensor(fake).log()) / 4
    found = float(loss.critic_loss(student.detach(), teacher, TARGETS, Now()).detach())
    assert abs(found - wanted) < 1e-6


def test_no_gradient_leaks_to_the_critic_from_the_student_or_back() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ksanc", student, teacher)
    assert loss.critic is not None
    loss(student, teacher, TARGETS).backward()
    assert all(parameter.grad is None for parameter in loss.critic.parameters())
    assert all(parameter.requires_grad for parameter in loss.critic.parameters())
    assert not set(loss.critic.parameters()) & set(loss.learned())
    before = {name: tap.grad.clone() for name, tap in student.items() if tap.grad is not None}
    loss.critic_loss(student.detach(), teacher, TARGETS, Now()).backward()
    assert all(parameter.grad is not None for parameter in loss.critic.parameters())
    assert all(torch.equal(student[name].grad, value) for name, value in before.items())


def test_attention_weighs_positions_by_the_pooled_features() -> None:
    """Where the pooled features are nothing all positions count alike, as without it."""
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ksanc(attention=true)", student, teacher)
    assert isinstance(loss, Ksanc)
    assert {"stage1", "stage2", "stage3", "pool", "logits"} == set(gradients(loss(student, teacher), student))
    flat = Knowledge(**(dict(student.detach()) | {"pool": torch.zeros(4, 5, dtype=torch.float64)}))
    torch.testing.assert_close(loss._vector("student", "stage2", flat), flat["stage2"].mean((2, 3)))


def test_in_training_the_critic_steps_after_the_student_by_an_optimiser_of_its_own(task: Task) -> None:
    loss = make_loss(None, "ksanc", task.student_taps.stages, seed=4)
    training = Training(task, loss, task.recipe, student_seed=1, order_seed=2)
    assert training.method is not None
    assert training.method.critic is not None
    critic = list(training.method.critic.parameters())
    assert not set(critic) & set(training.parameters)
    before = [parameter.detach().clone() for parameter in critic]
    training.advance(1)
    assert all(not torch.equal(a, b) for a, b in zip(before, critic, strict=True))
    assert sum(name.startswith("critic.exp_avg.") for name in training.state()) == len(critic)
