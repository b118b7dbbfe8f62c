"""Intra-class variation's image form against its formula in plain loops."""

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.ifvd import IntraClassVariation
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared


def nearness(vectors: Tensor) -> list[Tensor]:
    found = []
    for own, label in zip(vectors, TARGETS, strict=True):
        others = [vector for vector, other in zip(vectors, TARGETS, strict=True) if int(other) == int(label)]
        centre = torch.stack(others).sum(0) / len(others)
        found.append((own * centre).sum() / ((own**2).sum() * (centre**2).sum()) ** 0.5)
    return found


def test_it_is_the_variation_in_each_class_scores_and_a_critic_to_please() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ifvd(adversarial=0.5)", student, teacher)
    assert isinstance(loss, IntraClassVariation)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        assert loss.critic is not None
        for a, b in zip(nearness(s["pool"]), nearness(t["pool"]), strict=True):
            total = total + 200 * (a - b) ** 2 / 4
        for n in range(4):
            q, p = (side["logits"][n].exp() / side["logits"][n].exp().sum() for side in (s, t))
            total = total + 10 * sum(a * (a.log() - b.log()) for a, b in zip(p, q, strict=True)) / (4 * 3)
            total = total - 0.5 * loss.critic(s["logits"][n])[0] / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def test_equal_networks_differ_by_what_the_critic_says_alone() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("ifvd(adversarial=0)", both, both)
    value = loss(both, both.detach(), TARGETS)
    assert abs(float(value.detach())) < 1e-12
    assert all(float(g.abs().max()) < 1e-9 for g in gradients(value, both).values())
