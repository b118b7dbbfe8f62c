"""The distance of scores that stand for a yes or no in each class, in plain loops."""

import math

import pytest
import torch

from kdzero_gp.grammar.registry import default_registry


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_sigmoid_kl_is_the_mean_divergence_of_each_class(tau: float) -> None:
    sigmoid_kl = default_registry()["sigmoid_kl"].function
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(4, 3, generator=generator) for _ in range(2))
    expected = []
    for s_row, t_row in zip(student.tolist(), teacher.tolist(), strict=True):
        total = 0.0
        for s, t in zip(s_row, t_row, strict=True):
            p, q = (1 / (1 + math.exp(-value / tau)) for value in (t, s))
            total += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        expected.append(tau**2 * total / 3)
    torch.testing.assert_close(sigmoid_kl(student, teacher, tau), torch.tensor(expected), rtol=1e-4, atol=1e-6)
    assert float(sigmoid_kl(teacher, teacher, tau).max()) == pytest.approx(0, abs=1e-6)
    far = torch.full((2, 3), 1e4)
    assert bool(torch.isfinite(sigmoid_kl(-far, far, tau)).all())
