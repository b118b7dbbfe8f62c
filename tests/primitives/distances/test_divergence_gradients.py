"""Divergences keep their exact gradient at any temperature, and near equality, where rounding exceeds the value."""

import pytest
import torch
from torch import Tensor

from kdzero_gp import Map, Rows
from kdzero_gp.grammar.registry import default_registry

TAUS = (0.1, 1.0, 4.0, 30.0, 1000.0)
APART = (0.0, 1e-6, 1e-4, 1e-2, 1.0, 100.0, 1e4)
TARGETS = torch.arange(6) % 5


def pair(apart: float, shape: tuple[int, ...], size: float) -> tuple[Tensor, Tensor]:
    """Two float32 tensors of a size, so far from each other."""
    generator = torch.Generator().manual_seed(3)
    teacher = size * torch.randn(shape, generator=generator).clamp(-2, 2) / 2
    return teacher + apart * torch.randn(shape, generator=generator).clamp(-2, 2) / 2, teacher


def plain_kl(s: Tensor, t: Tensor, tau: float) -> Tensor:
    log_p, log_q = torch.log_softmax(t / tau, -1), torch.log_softmax(s / tau, -1)
    return tau**2 * (log_p.exp() * (log_p - log_q)).sum(-1).reshape(len(s), -1).mean(1)


def without(z: Tensor, y: Tensor) -> Tensor:
    rows = [torch.cat([row[:k], row[k + 1 :]]) for row, k in zip(z, y.tolist(), strict=True)]
    return torch.stack(rows)


def plain_nckd(s: Tensor, t: Tensor, tau: float) -> Tensor:
    return plain_kl(without(s, TARGETS), without(t, TARGETS), tau)


def plain_tckd(s: Tensor, t: Tensor, tau: float) -> Tensor:
    odds = []
    for z in (s / tau, t / tau):
        odds.append(z[torch.arange(len(z)), TARGETS] - torch.logsumexp(without(z, TARGETS), 1))
    log = torch.nn.functional.logsigmoid
    right = torch.sigmoid(odds[1]) * (log(odds[1]) - log(odds[0]))
    return tau**2 * (right + torch.sigmoid(-odds[1]) * (log(-odds[1]) - log(-odds[0])))


def plain_sigmoid_kl(s: Tensor, t: Tensor, tau: float) -> Tensor:
    log = torch.nn.functional.logsigmoid
    s, t = s / tau, t / tau
    yes = torch.sigmoid(t) * (log(t) - log(s))
    return tau**2 * (yes + torch.sigmoid(-t) * (log(-t) - log(-s))).mean(1)


PLAIN = {"kl": plain_kl, "tckd": plain_tckd, "nckd": plain_nckd, "sigmoid_kl": plain_sigmoid_kl}


@pytest.mark.parametrize("size", [1.0, 1e4])
@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("name", PLAIN)
def test_value_and_gradient_are_those_of_float64(name: str, tau: float, apart: float, size: float) -> None:
    student, teacher = pair(apart, (6, 5), size)
    student.requires_grad_()
    operation = default_registry()[name]
    options = {"targets": TARGETS} if operation.labels else {}
    value = operation.function(student, teacher, tau, **options)
    exact = student.detach().double().requires_grad_()
    expected = PLAIN[name](exact, teacher.double(), tau)
    assert value.dtype is torch.float32
    assert bool((value >= 0).all())
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-12 * tau**2)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    (wanted,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(gradient.double(), wanted, rtol=1e-6, atol=1e-12 * tau)


def test_kl_of_rows_is_exact_too() -> None:
    student, teacher = pair(1e-4, (6, 3, 5), 1.0)
    student.requires_grad_()
    value = default_registry()["kl"].function(student, teacher, 30.0)
    exact = student.detach().double().requires_grad_()
    expected = plain_kl(exact, teacher.double(), 30.0)
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    torch.testing.assert_close(gradient.double(), torch.autograd.grad(expected.sum(), exact)[0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("apart", [0.0, 1e-6, 1e-3, 1.0])
def test_affinities_keep_their_gradient(apart: float) -> None:
    student, teacher = (x.abs() for x in pair(apart, (6, 5), 1.0))
    student = student.detach().requires_grad_()
    value = default_registry()["affinity_kl"].function(student, teacher)
    exact = student.detach().double().requires_grad_()
    q, p = ((x + 1e-7) / (x + 1e-7).sum(1, keepdim=True) for x in (exact, teacher.double()))
    expected = (p * (p / q).log()).mean(1)
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-15)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    torch.testing.assert_close(gradient.double(), torch.autograd.grad(expected.sum(), exact)[0], rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("apart", [0.0, 1e-6, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("type_", [Map, Rows])
def test_mmd_keeps_its_gradient(type_: type, apart: float) -> None:
    student, teacher = pair(apart, (6, 3, 2, 4) if type_ is Map else (6, 3, 8), 1.0)
    student.requires_grad_()
    value = default_registry()["mmd"].function(student, teacher)
    exact = student.detach().double().requires_grad_()
    sets = exact.flatten(2), teacher.double().flatten(2)
    features = [(x.unsqueeze(3) * x.unsqueeze(2)).mean(1).flatten(1) for x in sets]  # of the kernel (a·b)²
    expected = (features[0] - features[1]).square().sum(1)
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-18)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    (wanted,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(gradient.double(), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", ["cosine", "pearson", "correlation", "hsic", "mmd", "kl", "affinity_kl"])
def test_rounding_beyond_the_range_does_not_cost_the_gradient(name: str) -> None:
    """Of 200 draws near equality some are rounded beyond their limit; none of them may lose its gradient."""
    operation = default_registry()[name]
    shape = (6, 3, 8) if name == "mmd" else (6, 7)
    tau = [1.0] if name == "kl" else []
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        teacher = torch.rand(shape, generator=generator) + 0.5
        student = (teacher + 3e-4 * torch.randn(shape, generator=generator)).requires_grad_()
        value = operation.function(student, teacher, *tau)
        assert bool((value >= 0).all())
        (gradient,) = torch.autograd.grad(value.sum(), student)
        assert bool(gradient.flatten(1).any(1).all()), seed


def test_an_infinite_divergence_is_infinite() -> None:
    """The teacher holds possible what the student excludes."""
    student = torch.tensor([[0.0, -torch.inf, 1.0]])
    assert torch.isinf(default_registry()["kl"].function(student, torch.zeros(1, 3), 1.0)).all()
