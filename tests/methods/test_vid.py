"""Variational information distillation against its formula in plain loops."""

import math

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.vid import Vid
from tests.methods.conftest import STAGES, assert_same, knowledge, prepared


def test_it_is_a_gaussian_likelihood_of_every_stage() -> None:
    student, teacher = knowledge(0, channels=3, gradient=True), knowledge(50, channels=4)
    loss = prepared("vid", student, teacher)
    assert isinstance(loss, Vid)
    with torch.no_grad():  # variances that differ, so that a mixed-up channel shows
        for scale in loss.scales.values():
            scale += torch.linspace(-1, 1, 4)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for stage in STAGES:
            first, second, third = (loss.regressors[stage][place].weight[:, :, 0, 0] for place in (0, 2, 4))
            count, part = 0, torch.zeros((), dtype=torch.float64)
            for sample in range(4):
                for row in range(s[stage].shape[2]):
                    for column in range(s[stage].shape[3]):
                        hidden = (first @ s[stage][sample, :, row, column]).clamp(min=0)
                        mean = third @ (second @ hidden).clamp(min=0)
                        for channel in range(4):
                            variance = (1 + loss.scales[stage][channel].exp()).log() + 1e-5
                            error = mean[channel] - t[stage][sample, channel, row, column]
                            part = part + (error * error / variance + variance.log()) / 2
                            count += 1
            total = total + part / count
        return total

    assert_same(loss, by_hand, student, teacher)


def test_variances_begin_at_five_and_train() -> None:
    student, teacher = knowledge(0, channels=3), knowledge(50, channels=4)
    loss = prepared("vid", student, teacher)
    assert isinstance(loss, Vid)
    for scale in loss.scales.values():
        variance = torch.nn.functional.softplus(scale) + 1e-5
        torch.testing.assert_close(variance, torch.full_like(variance, 5), rtol=1e-6, atol=0)
    loss(student, teacher).backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in loss.learned())
    assert sum(p.numel() for p in loss.learned()) == 3 * (3 * 4 + 2 * 4 * 4 + 4)
    assert math.isclose(float(sum(loss.terms().values())), float(loss(student, teacher).detach()), rel_tol=1e-12)
