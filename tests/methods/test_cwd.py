"""Channel-wise distillation against its formula in plain loops."""

import torch
from torch import Tensor

from kdzero_gp import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.registry import method
from tests.methods.conftest import STAGES, TARGETS, gradients, knowledge


def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
    """50 · 4² / (N·C) · Σ over channels of Σ over positions of p_t · log(p_t / p_s)."""
    total = torch.zeros((), dtype=torch.float64)
    for own, other in zip(s["stage3"], t["stage3"], strict=True):
        for maps in zip(own, other, strict=True):
            p_s, p_t = ((m.flatten() / 4).exp() / (m / 4).exp().sum() for m in maps)
            for a, b in zip(p_s, p_t, strict=True):
                total = total + b * (b / a).log()
    return 50 * 16 * total / (4 * len(s["stage3"][0]))


def test_it_is_the_divergence_of_every_channels_softmax() -> None:
    student, teacher = knowledge(0, gradient=True), knowledge(50)
    value, wanted = Distiller(method("cwd").tree(STAGES))(student, teacher, TARGETS), by_hand(student, teacher)
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)
    ours, theirs = gradients(value, student), gradients(wanted, student)
    assert ours.keys() == theirs.keys() == {"stage3"}
    torch.testing.assert_close(ours["stage3"], theirs["stage3"], rtol=1e-9, atol=1e-12)


def test_equal_maps_cost_nothing() -> None:
    both = knowledge(0, gradient=True)
    value = Distiller(method("cwd").tree(STAGES))(both, both.detach(), TARGETS)
    assert float(value.detach()) == 0
    torch.testing.assert_close(gradients(value, both)["stage3"], torch.zeros(4, 6, 2, 2, dtype=torch.float64))


def test_the_constants_are_options() -> None:
    assert str(method("cwd(weight=3, temperature=1)").tree(STAGES)) == "weight(3, kl(channel(stage3), 1))"
