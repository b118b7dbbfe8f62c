"""The instance relationship graph against its formula in plain loops."""

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from tests.methods.conftest import assert_same, gradients, knowledge, prepared


def graph(tap: Tensor) -> Tensor:
    squares = torch.stack([torch.stack([((a - b) ** 2).sum() for b in tap]) for a in tap])
    return squares / squares.max()


def moved(before: Tensor, after: Tensor) -> Tensor:
    """Maps (N, 3, 4, 4) and (N, 6, 2, 2)."""
    found = []
    for u, v in zip(before, after, strict=True):
        total = torch.zeros((), dtype=torch.float64)
        for c in range(3):
            for i in range(2):
                for j in range(2):
                    pooled = u[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean()
                    total = total + (pooled - (v[2 * c, i, j] + v[2 * c + 1, i, j]) / 2) ** 2
        found.append(total)
    distances = torch.stack(found)
    return distances / distances.max()


def test_it_is_vertices_edges_and_transformation() -> None:
    shapes = {"stage2": (4, 3, 4, 4), "stage3": (4, 6, 2, 2)}
    student, teacher = knowledge(0, gradient=True, **shapes), knowledge(50, **shapes)
    loss = prepared("irg", student, teacher)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = 0.1 * ((s["logits"] - t["logits"]) ** 2).mean()
        for tap in ("stage2", "stage3", "pool"):
            total = total + 5 / 3 * ((graph(s[tap]) - graph(t[tap])) ** 2).sum() / 16
        b_s, b_t = (moved(side["stage2"], side["stage3"]) for side in (s, t))
        return total + 5 * ((b_s - b_t) ** 2).sum() / 4

    assert_same(loss, by_hand, student, teacher)
    same = loss(student, student.detach())
    assert float(same.detach()) == 0
    assert all(float(g.abs().max()) == 0 for g in gradients(same, student).values())
