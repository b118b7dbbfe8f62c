"""The two gaps, against plain numpy loops over samples."""

import math

import numpy as np
import pytest
import torch

from kdzero_gp import cka_gap, sharpness_gap
from kdzero_gp.errors import ConfigError


def sharpness_by_loops(z_s: np.ndarray, z_t: np.ndarray) -> float:
    def log_sum_exp(row: np.ndarray) -> float:
        top = max(row)
        return float(top + math.log(sum(math.exp(value - top) for value in row)))

    return sum(abs(log_sum_exp(t) - log_sum_exp(s)) for s, t in zip(z_s, z_t, strict=True)) / len(z_s)


def hsic_by_kernels(f: np.ndarray, g: np.ndarray) -> float:
    """trace(K H L H) / (N - 1)^2 with the N x N kernels and the centring matrix written out."""
    n = len(f)
    kernel_f = np.array([[float(np.dot(a, b)) for b in f] for a in f])
    kernel_g = np.array([[float(np.dot(a, b)) for b in g] for a in g])
    centring = np.eye(n) - np.ones((n, n)) / n
    return float(np.trace(kernel_f @ centring @ kernel_g @ centring)) / (n - 1) ** 2


def cka_gap_by_kernels(f: np.ndarray, g: np.ndarray) -> float:
    return 1 - hsic_by_kernels(f, g) / math.sqrt(hsic_by_kernels(f, f) * hsic_by_kernels(g, g))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("classes", [(10, 10), (3, 7)])
def test_sharpness_gap_agrees_with_loops(classes: tuple[int, int]) -> None:
    z_s, z_t = 3 * random(6, classes[0]), 2 * random(6, classes[1], seed=1)
    assert float(sharpness_gap(z_s, z_t)) == pytest.approx(sharpness_by_loops(z_s.numpy(), z_t.numpy()), rel=1e-12)


def test_sharpness_gap_stays_finite_for_huge_logits() -> None:
    z_s, z_t = torch.tensor([[1000.0, -1000.0]]), torch.tensor([[2000.0, 1999.0]])
    assert float(sharpness_gap(z_s, z_t)) == pytest.approx(1000 + math.log1p(math.exp(-1)), rel=1e-6)
    assert float(sharpness_gap(z_s, z_s)) == 0


@pytest.mark.parametrize("widths", [(5, 9), (40, 3), (40, 50), (2, 2)], ids=str)
def test_cka_gap_agrees_with_the_kernel_form(widths: tuple[int, int]) -> None:
    f_s, f_t = random(12, widths[0]) + 5, random(12, widths[1], seed=1) - 3
    f_t[:, 0] += f_s[:, 0]
    assert float(cka_gap(f_s, f_t)) == pytest.approx(cka_gap_by_kernels(f_s.numpy(), f_t.numpy()), abs=1e-9)


def test_cka_gap_of_maps_is_that_of_their_flattened_form() -> None:
    maps = random(6, 2, 3, 3)
    other = random(6, 4, seed=1)
    expected = cka_gap_by_kernels(maps.numpy().reshape(6, -1), other.numpy())
    assert float(cka_gap(maps, other)) == pytest.approx(expected, abs=1e-9)


def test_cka_gap_sees_neither_rotation_nor_scale_nor_offset() -> None:
    features = random(20, 4)
    rotation, _ = torch.linalg.qr(random(4, 4, seed=2))
    for scale in (1e-12, 1.0, 1e12):
        assert float(cka_gap(features, scale * (features @ rotation) + 7 * scale)) == pytest.approx(0, abs=1e-6)


def test_cka_gap_is_computed_in_double_precision() -> None:
    f_s, f_t = random(12, 5), random(12, 9, seed=1)
    halves = cka_gap(f_s.bfloat16(), f_t.float())
    expected = cka_gap_by_kernels(f_s.bfloat16().double().numpy(), f_t.float().double().numpy())
    assert float(halves) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("flat", ["student", "teacher", "both"])
def test_a_side_without_variance_is_aligned_with_nothing(flat: str) -> None:
    varied, constant = random(8, 3), torch.full((8, 3), 2.5, dtype=torch.float64)
    f_s, f_t = (constant if flat in (side, "both") else varied for side in ("student", "teacher"))
    assert float(cka_gap(f_s, f_t)) == 1


def test_one_sample_has_no_alignment() -> None:
    assert float(cka_gap(random(1, 3), random(1, 4))) == 1


@pytest.mark.parametrize("gap", [sharpness_gap, cka_gap])
@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((4,), (4,)), ((0, 4), (0, 4))], ids=str)
def test_batches_that_do_not_match_are_refused_by_shape(gap: object, shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ConfigError, match=r"same samples, this is \("):
        gap(*(torch.zeros(shape) for shape in shapes))  # type: ignore[operator]
