"""Operations written for speed give the values and gradients of the plain form they stand for."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kdzero_gp.grammar.registry import default_registry
from primitives.guards import EPS

Form = Callable[[Tensor], Tensor]


def plain_sign(x: Tensor, y: Tensor) -> Tensor:
    return torch.where(x < 0, -y, y)


def plain_log(x: Tensor) -> Tensor:
    return plain_sign(x, torch.log1p(plain_sign(x, x)))


def plain_sqrt(x: Tensor) -> Tensor:
    return plain_sign(x, torch.sqrt(plain_sign(x, x) + EPS) - math.sqrt(EPS))


def plain_minmax(x: Tensor) -> Tensor:
    dims = tuple(range(1, x.dim()))
    smallest = x.amin(dims, keepdim=True)
    return (x - smallest) / (x.amax(dims, keepdim=True) - smallest).clamp(min=EPS)


def plain_unit(*dims: int) -> Form:
    return lambda x: x / torch.linalg.vector_norm(x, dim=dims, keepdim=True).clamp(min=EPS)


PLAIN: dict[str, Form] = {
    "log": plain_log,
    "sqrt": plain_sqrt,
    "minmax": plain_minmax,
    "norm_n": plain_unit(0),
    "norm_c": plain_unit(1),
    "norm_hw": plain_unit(2, 3),
    "exp": lambda x: torch.exp(x.clamp(max=10)),
    "pow2": lambda x: x.clamp(-1e4, 1e4).square(),
    "pow4": lambda x: x.clamp(-1e4, 1e4).square().square(),
}

EXACT = ("log", "sqrt", "exp", "pow2", "pow4")
"""These compute the very same numbers, to the bit."""


def maps(kind: str) -> Tensor:
    x = torch.randn(6, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    return {
        "ordinary": x,
        "rectified": x.relu(),
        "small": 1e-4 * x,
        "large": 1e5 * x,
        "one sample of zeros": x * torch.tensor([0.0, 1, 1, 1, 1, 1]).view(-1, 1, 1, 1),
        "equal values": x.round(),
    }[kind]


def value_and_gradient(form: Form, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = form(x)
    weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((value * weights).sum(), x)
    return value.detach(), gradient


@pytest.mark.parametrize("kind", ["ordinary", "rectified", "small", "large", "one sample of zeros", "equal values"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", PLAIN)
def test_the_fast_form_is_the_plain_one(name: str, layout: torch.memory_format, kind: str) -> None:
    x = maps(kind).contiguous(memory_format=layout)
    fast, plain = (value_and_gradient(form, x) for form in (default_registry()[name].function, PLAIN[name]))
    for ours, theirs in zip(fast, plain, strict=True):
        assert torch.isfinite(ours).all()
        if name in EXACT:
            assert torch.equal(ours, theirs)
        else:
            torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5 * float(theirs.abs().max()))


def plain_partial_l2(x: Tensor, teacher: Tensor) -> Tensor:
    free = (x <= teacher) & (teacher <= 0)
    return (x - teacher).square().masked_fill(free, 0).flatten(1).mean(1)


def plain_pearson(x: Tensor, teacher: Tensor) -> Tensor:
    centred = [side.flatten(1) - side.flatten(1).mean(1, keepdim=True) for side in (x, teacher)]
    return 1 - torch.cosine_similarity(*centred)


def plain_correlation(x: Tensor, teacher: Tensor) -> Tensor:
    centred = [side.flatten(1) - side.flatten(1).mean(0) for side in (x, teacher)]
    return (1 - torch.cosine_similarity(*centred, dim=0).mean()).expand(len(x))


PLAIN_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l2": lambda x, teacher: (x - teacher).square().flatten(1).mean(1),
    "partial_l2": plain_partial_l2,
    "cosine": lambda x, teacher: 1 - torch.cosine_similarity(x.flatten(1), teacher.flatten(1)),
    "pearson": plain_pearson,
    "correlation": plain_correlation,
}


@pytest.mark.parametrize("kind", ["ordinary", "small", "large"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", PLAIN_DISTANCES)
def test_the_fast_distance_is_the_plain_one(name: str, layout: torch.memory_format, kind: str) -> None:
    x, teacher = maps(kind).contiguous(memory_format=layout), maps(kind).flip(0).contiguous()
    fast, plain = (
        value_and_gradient(lambda x, form=form: form(x, teacher), x)  # type: ignore[misc]
        for form in (default_registry()[name].function, PLAIN_DISTANCES[name])
    )
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5 * float(theirs.abs().max()))


def test_minmax_is_the_same_without_gradient() -> None:
    x = maps("equal values")
    with torch.no_grad():
        without = default_registry()["minmax"].function(x)
    assert torch.equal(default_registry()["minmax"].function(x.requires_grad_()).detach(), without)
