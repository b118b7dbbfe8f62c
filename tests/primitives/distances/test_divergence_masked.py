"""Scores of −inf, classes that are masked out: p = 0 counts as 0, and what both sides lack is no difference."""

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.methods.registry import method

KEPT = [0, 2, 3]
TARGETS = torch.tensor([0, 2, 3, 0])
WITHOUT = torch.tensor([0, 1, 2, 0])
"""The same classes, numbered without those that are masked out."""


def scores(seed: int) -> Tensor:
    return 2 * torch.randn(4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def masked(z: Tensor) -> Tensor:
    gone = torch.ones(5, dtype=torch.bool).index_fill(0, torch.tensor(KEPT), False)
    return z.masked_fill(gone, -torch.inf)


ALIKE = ("kl", "tckd", "nckd", "hard", "cosine", "pearson", "correlation", "hsic", "infonce")
"""Their value is that of the classes that are there."""
SUMS = ("l1", "l2", "smooth_l1", "huber", "partial_l2", "sigmoid_kl")
"""Means over all classes, of which those that both sides lack differ by 0."""


@pytest.mark.parametrize("name", [*ALIKE, *SUMS])
def test_a_distance_is_that_of_the_classes_that_are_there(name: str) -> None:
    operation = default_registry()[name]
    constants = [3.0] * (operation.arity - 1)
    options = [{"targets": y} if operation.labels else {} for y in (TARGETS, WITHOUT)]
    s, t = scores(0).requires_grad_(), scores(1)
    value = operation.function(masked(s), masked(t), *constants, **options[0])
    kept = s[:, KEPT]
    expected = operation.function(kept, t[:, KEPT], *constants, **options[1])
    if name in SUMS:
        expected = expected * 3 / 5
    torch.testing.assert_close(value, expected)
    gradients = [torch.autograd.grad(x.sum(), s, retain_graph=True)[0] for x in (value, expected)]
    torch.testing.assert_close(*gradients)


def test_standardised_scores_leave_out_what_is_masked() -> None:
    z = scores(2)
    result = default_registry()["zscore"].function(masked(z))
    torch.testing.assert_close(result[:, KEPT], default_registry()["zscore"].function(z[:, KEPT]))
    assert bool((result[:, [1, 4]] == -torch.inf).all())


def test_weights_leave_out_what_is_masked() -> None:
    s, t = scores(0), scores(1)
    small = s[:, KEPT], t[:, KEPT]
    for name in ("w_sim", "w_conf", "w_focal"):
        operation = default_registry()[name]
        options = [{"targets": y} if operation.labels else {} for y in (TARGETS, WITHOUT)]
        result = operation.function(masked(s), masked(t), **options[0])
        torch.testing.assert_close(result, operation.function(*small, **options[1]))
    p = torch.softmax(small[1], 1)
    certainty = 1 + (p * p.log()).sum(1) / torch.log(torch.tensor(5.0, dtype=torch.float64))
    torch.testing.assert_close(default_registry()["w_entropy"].function(masked(s), masked(t)), certainty)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["kd", "dkd", "dist", "lskd"])
def test_the_methods_on_scores_are_finite(name: str, dtype: torch.dtype) -> None:
    s = scores(0).to(dtype).requires_grad_()
    distiller = Distiller(method(name).tree(()))
    loss = distiller(Knowledge(logits=masked(s)), Knowledge(logits=masked(scores(1)).to(dtype)), TARGETS)
    (gradient,) = torch.autograd.grad(loss, s)
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(gradient).all())
    assert bool(gradient[:, KEPT].any())
