"""Every distance of Table 1 against plain loops, and what a distance must be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdzero_gp import Logits, Map, Rows, Vector
from kdzero_gp.grammar.registry import default_registry

SHAPES = {
    Map: [(4, 3, 4, 4), (3, 2, 5, 3), (2, 1, 1, 1), (1, 2, 2, 3)],
    Rows: [(3, 4, 5), (1, 2, 3), (2, 1, 1)],
    Vector: [(4, 6), (1, 5), (3, 1)],
    Logits: [(4, 10)],
}
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 2e-5}
DISTANCES = [n for n, op in default_registry().items() if op.kind == "distance" and not op.extended]
CASES = [
    pytest.param(name, shape, tau, id=f"{name}-{'x'.join(map(str, shape))}{f'-tau{tau[0]}' if tau else ''}")
    for name in DISTANCES
    for signature in default_registry()[name].signatures
    for shape in SHAPES[signature.inputs[0]]
    for tau in ([(1.0,), (4.0,), (0.5,)] if name == "kl" else [()])
]


def _pair(shape, dtype, factor=2.0):
    generator = torch.Generator().manual_seed(3)
    draw = lambda: factor * torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    student, noise = draw(), draw()
    return student.to(dtype), (0.5 * student + noise).to(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("name", "shape", "tau"), CASES)
def test_a_distance_agrees_with_plain_loops(operations, plain, name, shape, tau, dtype):
    student, teacher = _pair(shape, dtype)
    result = operations[name].function(student, teacher, *tau)
    expected = np.array(plain.DISTANCES[name](student.double().numpy(), teacher.double().numpy(), *tau))
    assert tuple(result.shape) == expected.shape == (shape[0],)
    assert result.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
    np.testing.assert_allclose(result.double().numpy(), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("factor", [1e-7, 1e3])
@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_agrees_with_plain_loops_at_small_and_large_scale(operations, plain, name, factor):
    student, teacher = _pair((4, 10), torch.float64, factor)
    tau = (4.0,) if name == "kl" else ()
    result = operations[name].function(student, teacher, *tau)
    expected = plain.DISTANCES[name](student.numpy(), teacher.numpy(), *tau)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in DISTANCES if n != "hard"])
def test_a_distance_is_zero_between_equals(operations, name):
    student, _ = _pair((5, 6), torch.float32)
    result = operations[name].function(student, student.clone(), *([4.0] if name == "kl" else []))
    torch.testing.assert_close(result, torch.zeros(5), atol=1e-6, rtol=0)


NUMBERS = st.lists(st.floats(-1e4, 1e4, width=32), min_size=12, max_size=12)


@settings(max_examples=100)
@given(NUMBERS, NUMBERS, st.sampled_from([1.0, 4.0, 8.0, 0.3]))
def test_distances_stay_in_their_ranges(a, b, tau):
    operations = default_registry()
    student, teacher = torch.tensor(a).view(3, 4), torch.tensor(b).view(3, 4)
    for name in ("l1", "l2", "smooth_l1", "kl", "hard"):
        result = operations[name].function(student, teacher, *([tau] if name == "kl" else []))
        assert bool((result >= 0).all()), name
    for name in ("cosine", "pearson", "correlation"):
        result = operations[name].function(student, teacher)
        assert bool(((result >= 0) & (result <= 2)).all()), name


@settings(max_examples=50)
@given(NUMBERS, st.floats(-100, 100), st.sampled_from([1.0, 4.0, 8.0]))
def test_kl_is_zero_for_equal_distributions_however_the_scores_are_shifted(values, shift, tau):
    teacher = torch.tensor(values, dtype=torch.float64).view(3, 4)
    result = default_registry()["kl"].function(teacher + shift, teacher, tau)
    torch.testing.assert_close(result, torch.zeros(3, dtype=torch.float64), atol=1e-8, rtol=0)


def test_kl_is_above_zero_for_different_distributions(operations):
    teacher = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    student = teacher + torch.tensor([0.0, 0.0, 0.1])
    for tau in (1.0, 4.0, 8.0):
        assert bool((operations["kl"].function(student, teacher, tau) > 1e-5).all())


def test_kl_is_torchs_own_on_log_probabilities(operations):
    student, teacher = _pair((4, 10), torch.float64)
    expected = 16 * torch.nn.functional.kl_div(
        torch.log_softmax(student / 4, 1), torch.softmax(teacher / 4, 1), reduction="batchmean"
    )
    torch.testing.assert_close(operations["kl"].function(student, teacher, 4.0).mean(), expected)


def test_cosine_of_opposites_is_two_and_of_nothing_is_one(operations):
    function = operations["cosine"].function
    x = torch.tensor([[1.0, -2.0, 3.0]])
    assert function(x, -x).item() == pytest.approx(2)
    assert function(x, torch.zeros(1, 3)).item() == 1


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e4, -12345.678])
def test_a_constant_has_no_correlation(operations, constant):
    x, _ = _pair((5, 7), torch.float32)
    flat = torch.full((5, 7), constant, requires_grad=True)
    for name in ("pearson", "correlation"):
        result = operations[name].function(flat, x)
        torch.testing.assert_close(result, torch.ones(5), atol=0.02 if name == "pearson" else 0, rtol=0)
        assert bool(torch.isfinite(torch.autograd.grad(result.sum(), flat)[0]).all())


def test_correlation_leaves_out_features_without_variance(operations):
    student, teacher = _pair((6, 4), torch.float64)
    teacher[:, 1] = 3.0
    kept = [0, 2, 3]
    whole = operations["correlation"].function(student, teacher)
    torch.testing.assert_close(whole, operations["correlation"].function(student[:, kept], teacher[:, kept]))
    assert bool((whole == whole[0]).all())


def test_correlation_of_a_single_sample_is_one_without_gradient(operations):
    student = torch.randn(1, 4, requires_grad=True)
    result = operations["correlation"].function(student, torch.randn(1, 4))
    assert result.tolist() == [1.0]
    assert torch.autograd.grad(result.sum(), student)[0].abs().max() == 0
