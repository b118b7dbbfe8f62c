"""AFD's terms against their formulas in plain loops, the critic's scores taken from the critic itself."""

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.chung import Chung
from kdzero_gp.methods.world import Now
from tests.methods.conftest import TARGETS, assert_same, knowledge, prepared


def transferred(loss: Chung, maps: Tensor) -> Tensor:
    convolution = loss.transfer[0]
    assert isinstance(convolution, nn.Conv2d)
    channels = []
    for row in convolution.weight[:, :, 0, 0]:
        own = sum(k * c for k, c in zip(row, maps.unbind(1), strict=True))
        assert isinstance(own, Tensor)
        mean = own.sum() / own.numel()
        spread = ((own - mean) ** 2).sum() / own.numel()
        channels.append(((own - mean) / (spread + 1e-5) ** 0.5).clamp(min=0))
    return torch.stack(channels, 1)


def judged(loss: Chung, maps: Tensor) -> Tensor:
    assert loss.critic is not None
    return loss.critic(maps)[:, 0]


def test_it_deceives_a_critic_beside_plain_distillation() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("chung(weight=2, adversarial=3, temperature=2)", student, teacher)
    assert isinstance(loss, Chung)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for score in judged(loss, transferred(loss, s["stage3"])):
            total = total + 3 * (1 - score) ** 2 / 4
        for own, other in zip(s["logits"], t["logits"], strict=True):
            q, p = ((z / 2).exp() / (z / 2).exp().sum() for z in (own, other))
            for a, b in zip(p, q, strict=True):
                total = total + 2 * 4 * a * (a.log() - b.log()) / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def test_the_critic_says_one_for_the_teacher_and_nothing_for_the_student() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("chung", student, teacher)
    assert isinstance(loss, Chung)
    wanted = sum((1 - score) ** 2 / 4 for score in judged(loss, teacher["stage3"]))
    wanted = wanted + sum(score**2 / 4 for score in judged(loss, transferred(loss, student["stage3"])))
    assert isinstance(wanted, Tensor)
    torch.testing.assert_close(loss.critic_loss(student.detach(), teacher, TARGETS, Now()), wanted)
