"""Normalisations have no floor: activations of any scale come to the same, and zeros are finite with their gradient."""

import math

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, Logits, Map, Rows, Tau, Vector
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.methods.registry import method

SHAPES = {Map: (4, 3, 5, 4), Rows: (4, 3, 5), Vector: (4, 6), Logits: (4, 6)}
TRANSFORMS = ("norm_hw", "norm_c", "norm_n", "minmax", "zscore", "cosines", "pdist", "angles", "svd")
DISTANCES = ("cosine", "pearson", "correlation", "hsic", "infonce")
SCALES = (3e-4, 1e-8, 1e-12, 1e-20, 1e-30, 1e6, 1e12)


def cases(names: tuple[str, ...]) -> list[tuple[str, type]]:
    return [(name, s.inputs[0]) for name in names for s in default_registry()[name].signatures]


def drawn(type_: type, seed: int) -> Tensor:
    return torch.randn(SHAPES[type_], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def named(case: object) -> str:
    return getattr(case, "__name__", str(case))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("name", "type_"), cases(TRANSFORMS), ids=named)
def test_a_normalised_tensor_does_not_depend_on_its_scale(name: str, type_: type, scale: float) -> None:
    """In float32 against float64 at scale 1: values, and the gradient, which is 1 / scale times as large."""
    function = default_registry()[name].function
    x = drawn(type_, 0).float().double()
    small = (x * scale).float().requires_grad_()
    exact = (small.detach().double() / scale).requires_grad_()
    value, expected = function(small), function(exact)
    torch.testing.assert_close(value.double(), expected, rtol=2e-4, atol=2e-5)
    upstream = drawn(type_, 9) if value.shape == x.shape else torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((value * upstream.float()).sum(), small)
    (wanted,) = torch.autograd.grad((expected * upstream).sum(), exact)
    torch.testing.assert_close(gradient.double() * scale, wanted, rtol=2e-3, atol=2e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("name", "type_"), cases(DISTANCES), ids=named)
def test_a_distance_of_directions_does_not_depend_on_scale(name: str, type_: type, scale: float) -> None:
    operation = default_registry()[name]
    tau = [1.0] if Tau in operation.signatures[0].inputs else []
    s, t = drawn(type_, 0), drawn(type_, 1)
    small = (s * scale).float().requires_grad_()
    value = operation.function(small, (t * scale).float(), *tau)
    exact = s.clone().requires_grad_()
    expected = operation.function(exact, t, *tau)
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-5)
    (gradient,) = torch.autograd.grad(value.sum(), small)
    (wanted,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(gradient.double() * scale, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize(("name", "type_"), cases(TRANSFORMS), ids=named)
def test_zeros_give_zeros_with_a_moderate_gradient(name: str, type_: type) -> None:
    x = torch.zeros(SHAPES[type_], requires_grad=True)
    value = default_registry()[name].function(x)
    assert not bool(value.any())
    (gradient,) = torch.autograd.grad((value * torch.ones_like(value)).sum(), x)
    assert bool(torch.isfinite(gradient).all())
    assert float(gradient.abs().max()) <= 1e7


def knowledge(seed: int, scale: float) -> Knowledge:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"stage1": (5, 3, 8, 8), "stage2": (5, 4, 4, 4), "stage3": (5, 6, 2, 2)}
    return Knowledge(**{tap: torch.randn(shape, generator=generator).relu() * scale for tap, shape in shapes.items()})


def plain_sp(student: Tensor, teacher: Tensor) -> float:
    """3000 / b² · ‖G_S − G_T‖², G the rows of A Aᵀ over their norms; by Python floats."""
    rows = []
    for side in (student, teacher):
        flat = [sample.flatten().tolist() for sample in side]
        gram = [[math.fsum(a * b for a, b in zip(u, v, strict=True)) for v in flat] for u in flat]
        rows.append([[value / math.hypot(*row) for value in row] for row in gram])
    squares = [(a - b) ** 2 for u, v in zip(*rows, strict=True) for a, b in zip(u, v, strict=True)]
    return 3000 / len(student) ** 2 * math.fsum(squares)


def plain_at(student: Knowledge, teacher: Knowledge) -> float:
    """1000 · Σ over stages of the mean of (Q_S − Q_T)², Q the attention map over its norm; by Python floats."""
    total = 0.0
    for stage in student:
        maps = []
        for side in (student, teacher):
            for sample in side[stage]:
                channels = sample.flatten(1).tolist()
                attention = [math.fsum(v * v for v in column) for column in zip(*channels, strict=True)]
                maps.append([value / math.hypot(*attention) for value in attention])
        half = len(maps) // 2
        pairs = zip(maps[:half], maps[half:], strict=True)
        squares = [(a - b) ** 2 for u, v in pairs for a, b in zip(u, v, strict=True)]
        total += math.fsum(squares) / len(squares)
    return 1000 * total


@pytest.mark.parametrize("scale", [1.0, 3e-4, 1e-8])
def test_sp_and_at_are_exact_at_small_activations(scale: float) -> None:
    student, teacher = knowledge(0, scale), knowledge(1, scale)
    sp = Distiller(method("sp").tree(tuple(student)))(student, teacher)
    at = Distiller(method("at").tree(tuple(student)))(student, teacher)
    assert float(sp) == pytest.approx(plain_sp(student["stage3"], teacher["stage3"]), rel=1e-5)
    assert float(at) == pytest.approx(plain_at(student, teacher), rel=1e-5)


@pytest.mark.parametrize("name", ["sp", "at", "nst", "rkd", "pkt", "dist", "lskd"])
def test_the_methods_are_finite_where_a_network_gives_zeros(name: str) -> None:
    stages = {"stage1": (4, 3, 4, 4), "stage2": (4, 4, 2, 2)}
    shapes = stages | {"pool": (4, 6), "logits": (4, 5)}
    student = Knowledge(**{tap: torch.zeros(shape, requires_grad=True) for tap, shape in shapes.items()})
    teacher = Knowledge(**{tap: torch.randn(shape) for tap, shape in shapes.items()})
    loss = Distiller(method(name).tree(tuple(stages)))(student, teacher, torch.arange(4))
    gradients = torch.autograd.grad(loss, list(student.values()), allow_unused=True)
    assert bool(torch.isfinite(loss))
    assert all(gradient is None or bool(torch.isfinite(gradient).all()) for gradient in gradients)
