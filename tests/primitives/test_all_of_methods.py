"""The operations that hand-designed methods need, against plain loops in float64."""

import math

import numpy as np
import pytest
import torch

SCORES = [[2.0, -1.0, 0.5, 3.0], [0.0, 0.0, 0.0, 0.0], [-4.0, 1.0, 2.5, 0.1]]
OTHERS = [[1.0, 0.5, -2.0, 2.0], [3.0, -1.0, 0.0, 0.2], [0.3, 0.3, 0.3, -5.0]]
TARGETS = [3, 0, 1]


def _randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def _close(result, expected, rtol=1e-9):
    np.testing.assert_allclose(result.detach().numpy(), np.array(expected), rtol=rtol, atol=1e-12)


def _softmax(values, tau):
    weights = [math.exp(v / tau) for v in values]
    return [w / sum(weights) for w in weights]


def _divergence(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def _cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.hypot(*a) / math.hypot(*b)


@pytest.mark.parametrize("tau", [1.0, 4.0, 0.5])
def test_tckd_compares_the_true_class_with_all_others(operations, tau):
    expected = []
    for s, t, y in zip(SCORES, OTHERS, TARGETS, strict=True):
        p, q = _softmax(t, tau)[y], _softmax(s, tau)[y]
        expected.append(tau * tau * _divergence([p, 1 - p], [q, 1 - q]))
    result = operations["tckd"].function(_tensor(SCORES), _tensor(OTHERS), tau, targets=torch.tensor(TARGETS))
    _close(result, expected)


@pytest.mark.parametrize("tau", [1.0, 4.0, 0.5])
def test_nckd_compares_the_others_among_themselves(operations, tau):
    expected = []
    for s, t, y in zip(SCORES, OTHERS, TARGETS, strict=True):
        rest = [[v for k, v in enumerate(row) if k != y] for row in (t, s)]
        expected.append(tau * tau * _divergence(*(_softmax(row, tau) for row in rest)))
    result = operations["nckd"].function(_tensor(SCORES), _tensor(OTHERS), tau, targets=torch.tensor(TARGETS))
    _close(result, expected)


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_hintons_divergence_is_put_together_from_its_two_parts(operations, tau):
    student, teacher, targets = _randn(6, 5), 3 * _randn(6, 5, seed=1), torch.tensor([0, 1, 2, 3, 4, 0])
    true = torch.softmax(teacher / tau, 1).gather(1, targets.unsqueeze(1)).squeeze(1)
    parts = {n: operations[n].function(student, teacher, tau, targets=targets) for n in ("tckd", "nckd")}
    whole = operations["kl"].function(student, teacher, tau)
    torch.testing.assert_close(parts["tckd"] + (1 - true) * parts["nckd"], whole)


@pytest.mark.parametrize("name", ["tckd", "nckd"])
def test_the_parts_keep_their_precision_for_a_sure_teacher_and_a_wrong_student(operations, name):
    student, teacher, targets = torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([1])
    student[0, 2], teacher[0, 1] = 200.0, 200.0
    result = operations[name].function(student.requires_grad_(), teacher, 1.0, targets=targets)
    # all of the teacher's mass is on the true class: -log p_S is 200; the rest is uniform in the teacher
    expected = {"tckd": 200.0, "nckd": 100 + math.log(0.5)}
    assert result.item() == pytest.approx(expected[name], rel=1e-6)
    (gradient,) = torch.autograd.grad(result.sum(), student)
    assert bool(torch.isfinite(gradient).all())
    assert gradient.abs().max() > 0.1


@pytest.mark.parametrize(("name", "classes"), [("tckd", 1), ("nckd", 1), ("nckd", 2)])
def test_nothing_is_left_to_compare_without_other_classes(operations, name, classes):
    student = _randn(3, classes).requires_grad_()
    result = operations[name].function(student, _randn(3, classes, seed=1), 4.0, targets=torch.zeros(3).long())
    assert result.tolist() == [0, 0, 0]
    assert not bool(torch.autograd.grad(result.sum(), student)[0].any())


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_soften_is_a_softmax_at_a_temperature(operations, tau):
    _close(operations["soften"].function(_tensor(SCORES), tau), [_softmax(row, tau) for row in SCORES])


@pytest.mark.parametrize("shape", [(4, 6), (4, 2, 3), (4, 3, 2, 2)])
def test_cosines_are_those_of_all_pairs_of_samples(operations, shape):
    x = _randn(*shape)
    rows = x.flatten(1).tolist()
    _close(operations["cosines"].function(x), [[_cosine(a, b) for b in rows] for a in rows])


def test_svd_is_the_leading_right_singular_vector_with_the_sign_of_the_mean(operations):
    x = _randn(3, 4, 2, 3).abs()
    expected = []
    for sample in x.flatten(2).numpy():
        vector = np.linalg.svd(sample)[2][0]
        expected.append(vector * np.sign(vector @ sample.mean(0)))
    _close(operations["svd"].function(x), expected, rtol=1e-6)
    _close(operations["svd"].function(x).square().sum(1), [1, 1, 1])


def test_svd_of_a_single_channel_is_that_channel(operations):
    x = _randn(2, 1, 3, 2)
    expected = [[v / math.hypot(*row) for v in row] for row in x.flatten(1).tolist()]
    _close(operations["svd"].function(x), expected)


@pytest.mark.parametrize("tau", [1.0, 0.07])
def test_infonce_finds_ones_own_teacher_in_the_batch(operations, tau):
    s, t = _randn(4, 5), _randn(4, 5, seed=1)
    expected = []
    for i, own in enumerate(s.tolist()):
        weights = [math.exp(_cosine(own, other) / tau) for other in t.tolist()]
        expected.append(-math.log(weights[i] / sum(weights)))
    _close(operations["infonce"].function(s, t, tau), expected)
    assert operations["infonce"].function(t, t, tau).mean() < operations["infonce"].function(s, t, tau).mean()


def test_affinity_kl_is_the_mean_of_the_pointwise_divergence_of_shares(operations):
    s, t = _randn(3, 4).abs(), _randn(3, 4, seed=1).abs()
    expected = []
    for a, b in zip(s.tolist(), t.tolist(), strict=True):
        q, p = ([v / sum(row) for v in row] for row in (a, b))
        expected.append(_divergence(p, q) / 4)
    _close(operations["affinity_kl"].function(s, t), expected, rtol=1e-5)


def test_affinity_kl_takes_a_row_of_zeros_for_a_uniform_one(operations):
    uniform = torch.full((1, 4), 0.25, dtype=torch.float64)
    result = operations["affinity_kl"].function(torch.zeros(1, 4, dtype=torch.float64), uniform)
    _close(result, [0.0])


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (5, 3)])
def test_nll_gauss_is_the_likelihood_at_each_channels_best_variance(operations, shape):
    s, t = 3 * _randn(*shape), _randn(*shape, seed=1)
    total = 0.0
    for c in range(3):
        errors = (s[:, c] - t[:, c]).square().flatten().tolist()

        def likelihood(variance, errors=errors):
            return sum((1 + e) / variance + math.log(variance) for e in errors) / len(errors) / 2

        best = 1 + sum(errors) / len(errors)
        assert likelihood(best) < min(likelihood(0.99 * best), likelihood(1.01 * best))
        total += (likelihood(best) - likelihood_at_equality()) / 3
    _close(operations["nll_gauss"].function(s, t), [total] * shape[0])
    assert not bool(operations["nll_gauss"].function(t, t).any())


def likelihood_at_equality():
    """Of an error of 0 at its best variance, 1."""
    return 0.5


def _module(operations, name, shape):
    torch.manual_seed(0)
    return operations[name].function(shape)


def test_hint_is_a_convolution_batchnorm_and_relu(operations):
    x = _randn(3, 4, 2, 2)
    hint = _module(operations, "hint", (3, 4, 2, 2))
    with torch.no_grad():
        hint.gain.copy_(torch.tensor([1.0, 2.0, 0.5, -1.0]))
        hint.shift.copy_(torch.tensor([0.0, 0.3, -0.2, 1.0]))
    weight = hint.weight.detach().double().flatten(1)
    expected = np.zeros((3, 4, 2, 2))
    for c in range(4):
        mixed = [[sum(float(weight[c, d]) * float(v[d]) for d in range(4)) for v in s.flatten(1).T] for s in x]
        values = [v for row in mixed for v in row]
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) + 1e-5)
        for n in range(3):
            for place, v in enumerate(mixed[n]):
                standard = (v - mean) / deviation * hint.gain[c].item() + hint.shift[c].item()
                expected[n, c, place // 2, place % 2] = max(standard, 0.0)
    _close(hint(x), expected, rtol=1e-7)


@pytest.mark.parametrize("shape", [(3, 4, 2, 2), (3, 4)])
def test_project_is_linear_in_the_channels_and_nothing_at_first(operations, shape):
    x = _randn(*shape)
    project = _module(operations, "project", shape)
    assert torch.equal(project(x), x)
    weight, bias = _randn(4, 4, seed=1), _randn(4, seed=2)
    with torch.no_grad():
        project.weight.copy_(weight)
        project.bias.copy_(bias)
    weight, bias = project.weight.detach().double(), project.bias.detach().double()
    for index in np.ndindex(*shape):
        n, c, *place = index
        expected = sum(float(weight[c, d]) * float(x[(n, d, *place)]) for d in range(4)) + float(bias[c])
        assert float(project(x)[index].detach()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["hint", "project"])
def test_a_learned_operation_learns_all_of_its_parameters(operations, name):
    module = _module(operations, name, (5, 3, 2, 2))
    loss = (module(_randn(5, 3, 2, 2)) * _randn(5, 3, 2, 2, seed=1)).sum()
    loss.backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all())
        assert bool(parameter.grad.any())


@pytest.mark.parametrize("name", ["hint", "project"])
def test_half_precision_is_computed_in_float32(operations, name):
    x = _randn(5, 3, 2, 2).bfloat16()
    assert _module(operations, name, x.shape)(x).dtype == torch.float32
