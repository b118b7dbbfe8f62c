"""Weighted soft labels against their formula in plain loops."""

import math
from typing import Any

import torch
from torch import Tensor

from kdzero_gp import Distiller
from kdzero_gp.export.module import standalone_source
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.registry import method
from tests.methods.conftest import STAGES, TARGETS, gradients, knowledge


def by_hand(s: Knowledge, t: Knowledge, *, divergence: bool) -> Tensor:
    """2.5 · 2² · mean of w · KL, or of w · cross-entropy, which differs by the teacher's entropy."""
    total = torch.zeros((), dtype=torch.float64)
    for own, other, label in zip(s["logits"], t["logits"], TARGETS.tolist(), strict=True):
        entropies = [float(z.detach().exp().sum().log() - z[label].detach()) for z in (own, other)]
        weight = 1 - math.exp(-max(entropies[0] / (entropies[1] + 1e-7), 0))
        p_t, p_s = ((z / 2).exp() / (z / 2).exp().sum() for z in (other, own))
        for a, b in zip(p_t, p_s, strict=True):
            total = total + weight * float(a) * ((float(a.log()) if divergence else 0) - b.log())
    return 2.5 * 4 * total / 4


def test_it_is_a_divergence_that_is_weighted_sample_by_sample() -> None:
    student, teacher = knowledge(0, gradient=True), knowledge(50)
    value = Distiller(method("wsld").tree(STAGES))(student, teacher, TARGETS)
    wanted = by_hand(student, teacher, divergence=True)
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)
    papers = by_hand(student, teacher, divergence=False)
    for theirs in (wanted, papers):
        torch.testing.assert_close(
            gradients(value, student)["logits"], gradients(theirs, student)["logits"], rtol=1e-7, atol=1e-9
        )


def test_its_weights_are_not_rescaled_in_a_stand_alone_file_either() -> None:
    student, teacher = knowledge(0), knowledge(50)
    distiller = Distiller(method("wsld").tree(STAGES))
    value = float(distiller(student, teacher, TARGETS).detach())
    space: dict[str, Any] = {"__name__": "wsld"}
    exec(standalone_source(distiller), space)
    assert float(space["Distiller"]()(student, teacher, TARGETS).detach()) == value
