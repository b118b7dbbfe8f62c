"""The critic of scores: its gradient penalty in plain loops, and that no gradient leaks from it or to it."""

import pytest
import torch

from kdzero_gp.methods.critics import score_critic, wasserstein_loss
from kdzero_gp.methods.world import Now
from tests.methods.conftest import TARGETS, knowledge, prepared


def test_the_critics_loss_is_a_distance_and_a_penalty_on_slopes() -> None:
    torch.manual_seed(3)
    student, teacher, now = knowledge(0), knowledge(50), Now(step=7, seed=2)
    critic = score_critic(3).double()
    shares = torch.rand((4, 1), generator=now.generator(torch.device("cpu"), "gradient penalty"), dtype=torch.float64)
    wanted = 0.0
    for share, s, t in zip(shares, student["logits"], teacher["logits"], strict=True):
        between = share * t + (1 - share) * s
        slopes = []
        for place in range(3):  # of a piecewise linear function
            step = torch.zeros(3, dtype=torch.float64)
            step[place] = 1e-6
            slopes.append(float((critic(between + step) - critic(between - step)).detach()) / 2e-6)
        length = sum(slope**2 for slope in slopes) ** 0.5
        wanted += (float((critic(s) - critic(t)).detach()) + 10 * (length - 1) ** 2) / 4
    found = wasserstein_loss(critic, student, teacher, now)
    assert float(found.detach()) == pytest.approx(wanted, abs=1e-6)
    found.backward()
    assert all(parameter.grad is not None for parameter in critic.parameters())


@pytest.mark.parametrize("name", ["chung", "skd", "ifvd"])
def test_no_gradient_leaks_to_the_critic_or_back(name: str) -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared(name, student, teacher)
    assert loss.critic is not None
    loss(student, teacher, TARGETS).backward()
    assert all(parameter.grad is None for parameter in loss.critic.parameters())
    assert not set(loss.critic.parameters()) & set(loss.learned())
    mine = [parameter.grad for parameter in loss.learned()]
    assert all(gradient is not None for gradient in mine)
    before = [gradient.clone() for gradient in mine if gradient is not None]
    loss.critic_loss(student.detach(), teacher, TARGETS, Now()).backward()
    assert all(parameter.grad is not None for parameter in loss.critic.parameters())
    after = [parameter.grad for parameter in loss.learned() if parameter.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
