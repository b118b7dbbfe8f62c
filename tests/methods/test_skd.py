"""Structured distillation's image form against its formula in plain loops."""

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.skd import StructuredDistillation
from tests.methods.conftest import assert_same, gradients, knowledge, prepared


def cosines(maps: Tensor) -> list[list[Tensor]]:
    """Of one image (C, 4, 4) or (C, 2, 2)."""
    half = maps.shape[1] // 2
    nodes = []
    for i in (0, 1):
        for j in (0, 1):
            window = maps[:, i * half : (i + 1) * half, j * half : (j + 1) * half]
            nodes.append(torch.stack([channel.max() for channel in window]))
    return [[(a * b).sum() / ((a**2).sum() * (b**2).sum()) ** 0.5 for b in nodes] for a in nodes]


def test_it_is_scores_similarities_of_nodes_and_a_critic_to_please() -> None:
    student = knowledge(0, channels=5, gradient=True, stage3=(4, 5, 4, 4))
    teacher = knowledge(50, channels=7, stage3=(4, 7, 2, 2))
    loss = prepared("skd(pixel=3, pairs=2, adversarial=0.5)", student, teacher)
    assert isinstance(loss, StructuredDistillation)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        assert loss.critic is not None
        for n in range(4):
            q, p = (side["logits"][n].exp() / side["logits"][n].exp().sum() for side in (s, t))
            total = total + 3 * sum(a * (a.log() - b.log()) for a, b in zip(p, q, strict=True)) / 4
            for row, other in zip(cosines(s["stage3"][n]), cosines(t["stage3"][n]), strict=True):
                for a, b in zip(row, other, strict=True):
                    total = total + 2 * (a - b) ** 2 / 16 / 4
            total = total - 0.5 * loss.critic(s["logits"][n])[0] / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def test_equal_networks_differ_by_what_the_critic_says_alone() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("skd(adversarial=0)", both, both)
    value = loss(both, both.detach())
    assert abs(float(value.detach())) < 1e-12
    assert all(float(g.abs().max()) < 1e-9 for g in gradients(value, both).values())
