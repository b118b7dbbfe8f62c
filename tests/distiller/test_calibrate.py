"""Every calibrated term starts with the cross-entropy's gradient norm."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.distiller.calibrate import CalibrationError
from tests.distiller.slow_twin import knowledge, targets


class Net(nn.Module):
    """A student of two layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(1, 3, 3, padding=1), nn.Linear(3, 7)

    def forward(self, x: Tensor) -> Knowledge:
        stage = self.conv(x).relu()
        pool = stage.mean((2, 3))
        return Knowledge(stage1=stage, pool=pool, logits=self.head(pool))


def norms(losses: list[Tensor], net: nn.Module) -> list[float]:
    result = []
    for loss in losses:
        net.zero_grad()
        loss.backward(retain_graph=True)
        result.append(sum(float(p.grad.double().square().sum()) for p in net.parameters() if p.grad is not None) ** 0.5)
    return result


TEXT = "add(weight(1, kl(logits, 4)), add(weight(100, l2(pow4(stage1))), weight(0.01, w_conf(l1(pool)))))"


def test_gradient_norms_equal_the_cross_entropys() -> None:
    net, y = Net(), targets()
    x = torch.randn(5, 1, 8, 8)
    teacher = knowledge(1, channels=(5, 4, 6), width=4)
    distiller = Distiller(TEXT)
    student = net(x)
    factors = distiller.calibrate(student, teacher, y, net.parameters())
    (wanted,) = norms([F.cross_entropy(student["logits"], y)], net)
    means = distiller.means(student, teacher, y)
    assert factors == tuple(distiller.calibration.tolist())
    for factor, length in zip(factors, norms(means, net), strict=True):
        assert factor * length == pytest.approx(wanted, rel=1e-5)
    loss = distiller(student, teacher, y)
    weights = [term.value for term in distiller.terms_in_order]
    expected = sum(w * f * m for w, f, m in zip(weights, factors, means, strict=True))
    torch.testing.assert_close(loss, expected)


def test_frozen_parameters_do_not_count() -> None:
    net, y, x = Net(), targets(), torch.randn(5, 1, 8, 8)
    teacher = knowledge(1, channels=(3, 4, 6), width=3)
    net.conv.requires_grad_(False)
    student = net(x)
    factors = Distiller("weight(1, kl(logits, 4))").calibrate(student, teacher, y, net.parameters())
    head = list(net.head.parameters())
    lengths = []
    for loss in (F.cross_entropy(student["logits"], y), Distiller("weight(1, kl(logits, 4))")(student, teacher)):
        lengths.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, head, retain_graph=True)]).norm())
    assert factors[0] == pytest.approx(float(lengths[0] / lengths[1]), rel=1e-5)


def test_a_term_that_does_not_move_the_student_is_named() -> None:
    net, x = Net(), torch.randn(5, 1, 8, 8)
    net.requires_grad_(True)
    teacher = knowledge(1, channels=(3, 4, 6), width=3)
    student = net(x)
    same = Knowledge(**{**dict(teacher), "pool": student["pool"].detach()})
    text = "add(weight(1, kl(logits, 4)), weight(1, l2(pool)))"
    with pytest.raises(CalibrationError, match=r"gradient norm of `weight\(1, l2\(pool\)\)` .* is 0"):
        Distiller(text).calibrate(student, same, targets(), net.parameters())
    infinite = Knowledge(**{**dict(teacher), "pool": torch.full((5, 3), float("nan"))})
    with pytest.raises(CalibrationError, match="must be positive and finite"):
        Distiller("weight(1, l2(pool))").calibrate(student, infinite, targets(), net.parameters())


def test_calibration_survives_a_change_of_precision() -> None:
    factors = [0.1, 123456.789, 1e-7]
    distiller = Distiller(TEXT, calibration=factors)
    assert distiller.float().calibration.tolist() == factors
    assert distiller.half().calibration.tolist() == factors


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_cross_entropy_without_gradient_is_refused(value: float) -> None:
    weight = torch.randn(3, 3, requires_grad=True)
    student = Knowledge(pool=torch.randn(4, 3) @ weight, logits=torch.zeros(4, 5) + weight.sum() * value)
    teacher = Knowledge(pool=torch.randn(4, 3), logits=torch.randn(4, 5))
    with pytest.raises(CalibrationError, match="cross-entropy"):
        Distiller("weight(1, l2(pool))").calibrate(student, teacher, torch.arange(4), [weight])
