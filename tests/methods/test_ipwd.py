"""Inverse propensity weights against their formula in plain loops; the second head learns from labels alone."""

import math

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.ipwd import InversePropensity, standardised
from kdzero_gp.methods.registry import method
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared


def entropy(scores: Tensor, label: int) -> Tensor:
    """−log of the label's share."""
    return scores.exp().sum().log() - scores[label]


def standard(scores: Tensor) -> Tensor:
    mean = scores.sum() / len(scores)
    return (scores - mean) / (((scores - mean) ** 2).sum() / len(scores)).sqrt()


def by_hand(loss: InversePropensity, s: Knowledge, t: Knowledge) -> Tensor:
    total, weights, divergences = torch.zeros((), dtype=torch.float64), [], []
    for pool, own, other, label in zip(s["pool"], s["logits"], t["logits"], TARGETS.tolist(), strict=True):
        second = loss.second.weight @ pool.detach() + loss.second.bias
        total = total + entropy(second, label) / 4
        ratio = entropy(standard(second), label) / entropy(standard(own), label)
        weights.append(1 + float(ratio.detach()))
        p_s, p_t = ((z / 4).exp() / (z / 4).exp().sum() for z in (own, other))
        divergences.append(sum((b * (b / a).log() for a, b in zip(p_s, p_t, strict=True)), torch.zeros(())))
    for weight, divergence in zip(weights, divergences, strict=True):
        total = total + 0.9 * 16 * weight / (sum(weights) / 4) * divergence / 4
    return total


def test_it_is_plain_distillation_that_is_weighted_sample_by_sample() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ipwd", student, teacher)
    assert isinstance(loss, InversePropensity)
    assert set(assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)) == {"logits"}
    assert method("ipwd").ce_weight == 0.1


def test_the_second_head_learns_from_labels_alone() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("ipwd", student, teacher)
    assert isinstance(loss, InversePropensity)
    slopes = torch.autograd.grad(loss(student, teacher, TARGETS), list(loss.parameters()))
    wanted = torch.zeros(3, dtype=torch.float64)
    for pool, label in zip(student["pool"].detach(), TARGETS.tolist(), strict=True):
        shares = (loss.second.weight @ pool + loss.second.bias).detach().softmax(0)
        shares[label] -= 1
        wanted += shares / 4
    torch.testing.assert_close(slopes[1], wanted, rtol=1e-9, atol=1e-12)


def test_equal_scores_leave_the_second_heads_loss() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("ipwd", both, both)
    value = loss(both, both.detach(), TARGETS)
    terms = loss.terms()
    assert float(terms["weighted kd"]) == 0
    assert float(value.detach()) == float(terms["second head"])
    assert float(gradients(value, both)["logits"].abs().max()) < 1e-15


def test_scores_are_standardised_and_constant_ones_stay_finite() -> None:
    found = standardised(torch.tensor([[1.0, 3.0], [2.0, 2.0]], dtype=torch.float64))
    assert found.tolist() == [[-1, 1], [0, 0]]
    certain = knowledge(0, channels=5, gradient=True)
    taps = dict(certain) | {"logits": torch.full((4, 3), math.pi, dtype=torch.float64, requires_grad=True)}
    loss = prepared("ipwd", Knowledge(**taps), knowledge(50))
    assert bool(torch.isfinite(loss(Knowledge(**taps), knowledge(50), TARGETS)))
