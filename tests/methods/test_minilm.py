"""MiniLM's relations against their formulas in plain loops, of maps and of attention."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.world import World
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.tap import Tap, Taps
from tests.methods.conftest import assert_same, gradients, knowledge, prepared, random


def apart(ours: list[tuple[Tensor, Tensor]], theirs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """KL of the rows of softmax(Q·Kᵀ / √d) for one sample's heads of (L, d) queries and keys."""
    total, rows = torch.zeros((), dtype=torch.float64), 0
    for (q_s, k_s), (q_t, k_t) in zip(ours, theirs, strict=True):
        for row in range(len(q_s)):
            s, t = (
                torch.stack([(q[row] * key).sum() / q.shape[1] ** 0.5 for key in k]).softmax(0)
                for q, k in ((q_s, k_s), (q_t, k_t))
            )
            total, rows = total + (t * (t.log() - s.log())).sum(), rows + 1
    return total / rows


def test_places_of_the_last_map_are_the_tokens() -> None:
    student = knowledge(0, channels=5, gradient=True)
    teacher = knowledge(50, channels=7, stage3=(4, 7, 4, 4))
    loss = prepared("minilm(attention=2, values=3)", student, teacher)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for n in range(4):
            ours = [s["stage3"][n, :, i, j] for i in (0, 1) for j in (0, 1)]
            windows = [t["stage3"][n, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] for i in (0, 1) for j in (0, 1)]
            theirs = [window.mean((1, 2)) for window in windows]
            x, y = torch.stack(ours), torch.stack(theirs)
            total = total + 5 * apart([(x, x)], [(y, y)]) / 4
        return total

    assert_same(loss, by_hand, student, teacher)
    same = loss(student, student.detach())
    assert abs(float(same.detach())) < 1e-12
    assert all(float(g.abs().max()) < 1e-9 for g in gradients(same, student).values())


class Attends(nn.Module):
    """One block of attention: what a network has to have for its tap."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Module()
        self.block.num_heads = 2
        self.block.qkv = nn.Linear(4, 12)
        self.fc = nn.Linear(12, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.block.qkv(tokens).mean(1))
        return scores


def attending(name: str) -> Network:
    places = Taps((("pool", Tap("fc", (12,), "vector", side="input")), ("logits", Tap("", (3,), "scores"))))
    return Network(name, Attends(), places, lambda: torch.zeros(2, 5, 4))


def test_equal_heads_are_compared_one_by_one() -> None:
    student = knowledge(0, gradient=True, attn1=(4, 5, 12))
    teacher = replace_tap(knowledge(50), random(4, 5, 12, seed=90))
    world = replace(World(), student=attending("student"), teacher=attending("teacher"))
    loss = prepared("minilm(student_block=1, teacher_block=1)", student, teacher, world)

    def heads(side: Knowledge, n: int, first: int, second: int) -> list[tuple[Tensor, Tensor]]:
        """Two heads of width 2; queries are columns 0-3, keys 4-7, values 8-11."""
        whole = side["attn1"][n]
        return [(whole[:, first + h : first + h + 2], whole[:, second + h : second + h + 2]) for h in (0, 2)]

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for n in range(4):
            total = total + apart(heads(s, n, 0, 4), heads(t, n, 0, 4)) / 4
            total = total + apart(heads(s, n, 8, 8), heads(t, n, 8, 8)) / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def replace_tap(knowledge: Knowledge, attention: Tensor) -> Knowledge:
    return Knowledge(**(dict(knowledge) | {"attn1": attention}))


def test_a_transformer_meets_a_map_on_a_grid_of_places() -> None:
    """The token that is no place is left out, heads stand side by side, and the map is query, key and value."""
    student, teacher = knowledge(0, gradient=True, attn1=(4, 5, 12)), knowledge(50, channels=7)
    loss = prepared("minilm(student_block=1)", student, teacher)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for n in range(4):
            tokens = s["attn1"][n, 1:]
            y = torch.stack([t["stage3"][n, :, i, j] for i in (0, 1) for j in (0, 1)])
            total = total + apart([(tokens[:, :4], tokens[:, 4:8])], [(y, y)]) / 4
            total = total + apart([(tokens[:, 8:], tokens[:, 8:])], [(y, y)]) / 4
        return total

    assert_same(loss, by_hand, student, teacher)
