"""Correlation congruence against its formula in plain loops."""

from itertools import pairwise

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.cc import CorrelationCongruence
from tests.methods.conftest import assert_same, knowledge, prepared


def test_it_is_the_product_of_neighbours_differences() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("cc", student, teacher)
    assert isinstance(loss, CorrelationCongruence)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        deltas = []
        for own, other in zip(s["pool"], t["pool"], strict=True):
            ours = loss.embed_student.weight @ own + loss.embed_student.bias
            theirs = loss.embed_teacher.weight @ other + loss.embed_teacher.bias
            deltas.append((ours - theirs).abs())
        total = torch.zeros((), dtype=torch.float64)
        for one, following in pairwise(deltas):
            for a, b in zip(one, following, strict=True):
                total = total + a * b
        return 0.02 * total / (len(deltas) - 1)

    assert_same(loss, by_hand, student, teacher)
    assert [tuple(p.shape) for p in loss.learned()] == [(128, 5), (128,), (128, 7), (128,)]


def test_equal_embeddings_of_equal_features_give_nothing() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("cc(width=9)", both, both)
    assert isinstance(loss, CorrelationCongruence)
    loss.embed_teacher.load_state_dict(loss.embed_student.state_dict())
    assert float(loss(both, both.detach()).detach()) == 0
