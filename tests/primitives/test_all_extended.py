"""The operations of the extended set against plain loops in float64."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F


def _randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _close(result, expected):
    np.testing.assert_allclose(result.numpy(), np.array(expected), rtol=1e-9, atol=1e-12)


def _dot(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def test_maps_are_summed_up_over_channels_or_positions(operations):
    x = _randn(2, 3, 2, 4)
    places = [[[x[n, :, i, j].tolist() for j in range(4)] for i in range(2)] for n in range(2)]
    over_c = {"satt_map": lambda v: sum(u * u for u in v) / 3, "mean_c": lambda v: sum(v) / 3, "sum_c": sum}
    for name, function in over_c.items():
        expected = [[[[function(v) for v in row] for row in sample]] for sample in places]
        _close(operations[name].function(x), expected)
    expected = [[sum(x[n, c].flatten().tolist()) / 8 for c in range(3)] for n in range(2)]
    _close(operations["mean_hw"].function(x), expected)


def test_zscore_divides_by_the_unbiased_deviation(operations):
    x = _randn(3, 5)
    expected = []
    for row in x.tolist():
        mean = sum(row) / 5
        deviation = math.sqrt(sum((v - mean) ** 2 for v in row) / 4)
        expected.append([(v - mean) / deviation for v in row])
    _close(operations["zscore"].function(x), expected)


def test_zscore_of_a_constant_is_zero(operations):
    assert operations["zscore"].function(torch.full((2, 7), 1e4)).abs().max() < 1


def test_center_rows_takes_each_rows_mean(operations):
    x = _randn(2, 3, 4)
    expected = [[[v - sum(row) / 4 for v in row] for row in sample] for sample in x.tolist()]
    _close(operations["center_rows"].function(x), expected)


def test_pdist_is_the_distance_over_the_mean_of_all_pairs(operations):
    x = _randn(4, 3)
    distances = [[math.dist(a, b) for b in x.tolist()] for a in x.tolist()]
    mean = sum(map(sum, distances)) / 12
    _close(operations["pdist"].function(x), [[d / mean for d in row] for row in distances])


def test_angles_are_the_cosines_at_each_sample(operations):
    x = _randn(3, 4)
    expected = np.zeros((3, 9))
    for i, j, k in np.ndindex(3, 3, 3):
        a, b = (x[j] - x[i]).tolist(), (x[k] - x[i]).tolist()
        norms = math.hypot(*a) * math.hypot(*b)
        expected[i, j * 3 + k] = _dot(a, b) / norms if norms else 0
    _close(operations["angles"].function(x), expected)


def test_fsp_pools_the_larger_map_and_multiplies_channels(operations):
    x, y = _randn(2, 3, 4, 4), _randn(2, 2, 2, 2, seed=1)
    expected = np.zeros((2, 3, 2))
    for n, c, d, i, j in np.ndindex(2, 3, 2, 2, 2):
        block = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten().tolist()
        expected[n, c, d] += sum(block) / 4 * y[n, d, i, j].item() / 4
    _close(operations["fsp"].function(x, y), expected)


def test_unfold3_brings_the_neighbours_into_the_channels(operations):
    x = _randn(2, 2, 3, 4)
    expected = np.zeros((2, 18, 3, 4))
    for n, c, i, j, y, z in np.ndindex(2, 2, 3, 3, 3, 4):
        a, b = y + i - 1, z + j - 1
        if 0 <= a < 3 and 0 <= b < 4:
            expected[n, c * 9 + 3 * i + j, y, z] = x[n, c, a, b]
    _close(operations["unfold3"].function(x), expected)


def test_margin_relu_cuts_at_the_mean_of_each_channels_negative_values(operations):
    x = _randn(3, 2, 2, 2)
    expected = np.zeros(x.shape)
    for c in range(2):
        negative = [v for v in x[:, c].flatten().tolist() if v < 0]
        for n, i, j in np.ndindex(3, 2, 2):
            expected[n, c, i, j] = max(x[n, c, i, j].item(), sum(negative) / len(negative))
    _close(operations["margin_relu"].function(x), expected)
    assert operations["margin_relu"].side == operations["binarize"].side == "teacher"


def test_binarize_gives_signs(operations):
    x = torch.tensor([-2.0, 0.0, 3.0]).view(1, 3, 1, 1)
    assert operations["binarize"].function(x).flatten().tolist() == [-1, -1, 1]


def test_mmd_compares_sets_of_different_size(operations):
    s, t = _randn(2, 3, 4), _randn(2, 5, 4, seed=1)
    kernel = lambda a, b: sum(_dot(u, v) ** 2 for u in a for v in b) / len(a) / len(b)  # noqa: E731
    expected = [kernel(a, a) + kernel(b, b) - 2 * kernel(a, b) for a, b in zip(s, t, strict=True)]
    _close(operations["mmd"].function(s, t), expected)


def test_hsic_is_one_minus_linear_cka(operations):
    s, t = _randn(5, 3), _randn(5, 4, seed=1)
    a, b = s.numpy() - s.numpy().mean(0), t.numpy() - t.numpy().mean(0)
    cka = np.sum((a.T @ b) ** 2) / math.sqrt(np.sum((a.T @ a) ** 2) * np.sum((b.T @ b) ** 2))
    _close(operations["hsic"].function(s, t), [1 - cka] * 5)
    _close(operations["hsic"].function(s, -3 * s + 1), [0] * 5)


def test_partial_l2_spares_what_is_switched_off_on_both_sides(operations):
    s, t = _randn(4, 6), _randn(4, 6, seed=1)
    expected = [
        sum((a - b) ** 2 for a, b in zip(u, v, strict=True) if not a <= b <= 0) / 6
        for u, v in zip(s.tolist(), t.tolist(), strict=True)
    ]
    _close(operations["partial_l2"].function(s, t), expected)


@pytest.mark.parametrize("delta", [0.1, 1.0, 5.0])
def test_huber_is_quadratic_below_delta(operations, delta):
    s, t = _randn(3, 5), _randn(3, 5, seed=1)
    each = lambda d: d * d / 2 if d < delta else delta * (d - delta / 2)  # noqa: E731
    expected = [
        sum(each(abs(a - b)) for a, b in zip(u, v, strict=True)) / 5
        for u, v in zip(s.tolist(), t.tolist(), strict=True)
    ]
    _close(operations["huber"].function(s, t, delta), expected)
    torch.testing.assert_close(
        operations["huber"].function(s, t, 1.0), F.smooth_l1_loss(s, t, reduction="none").mean(1)
    )
