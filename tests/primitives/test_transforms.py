"""Every transform of Table 1 against plain loops, over shapes and dtypes."""

import numpy as np
import pytest
import torch

from kdzero_gp import Logits, Map, Rows, Vector
from kdzero_gp.grammar.registry import default_registry

SHAPES = {
    Map: [(4, 3, 4, 4), (3, 2, 5, 3), (2, 1, 2, 6), (1, 3, 3, 3), (3, 2, 1, 1), (2, 1, 1, 4)],
    Rows: [(3, 4, 5), (1, 2, 3), (2, 1, 1)],
    Vector: [(4, 6), (1, 5), (3, 1)],
    Logits: [(4, 6)],
}
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 2e-5}
TRANSFORMS = [n for n, op in default_registry().items() if op.kind == "transform" and not op.extended]
CASES = [
    pytest.param(
        name,
        signature.inputs[0],
        shape,
        id=f"{name}-{'x'.join(map(str, shape))}-{signature.inputs[0].__name__}",
    )
    for name in TRANSFORMS
    for signature in default_registry()[name].signatures
    for shape in SHAPES[signature.inputs[0]]
]


def _inputs(shape, dtype, factor=2.0):
    return (factor * torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).to(dtype)


def _seeded():
    return torch.Generator().manual_seed(7)


def _both(operations, plain, name, x):
    """What the operation gives, and what the loops give for the same (already rounded) input."""
    exact = x.double().numpy()
    if name in ("drop", "mask"):
        N, C, H, W = x.shape
        uniform = torch.rand((N, C, 1, 1) if name == "drop" else (N, 1, H, W), generator=_seeded()).numpy()
        return operations[name].function(x, generator=_seeded()), plain.TRANSFORMS[name](exact, uniform)
    return operations[name].function(x), plain.TRANSFORMS[name](exact)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("name", "kind", "shape"), CASES)
def test_a_transform_agrees_with_plain_loops(operations, plain, name, kind, shape, dtype):
    result, expected = _both(operations, plain, name, _inputs(shape, dtype))
    assert result.dim() == {Map: 4, Rows: 3}.get(operations[name].resolve((kind,)).output, 2)
    assert result.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
    assert tuple(result.shape) == expected.shape
    size = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(result.double().numpy(), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * size)


@pytest.mark.parametrize("factor", [1e-30, 1e-7, 1e3])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_agrees_with_plain_loops_at_small_and_large_scale(operations, plain, name, factor):
    kind = operations[name].signatures[0].inputs[0]
    result, expected = _both(operations, plain, name, _inputs(SHAPES[kind][0], torch.float64, factor))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9, atol=1e-14 * np.abs(expected).max())


def test_batchnorm_is_torchs_own_with_batch_statistics(operations):
    x = _inputs((5, 3, 4, 4), torch.float64)
    expected = torch.nn.functional.batch_norm(x, None, None, training=True, eps=1e-5)
    torch.testing.assert_close(operations["batchnorm"].function(x), expected)


def test_windows_are_equal_blocks_in_reading_order(operations):
    x = torch.arange(16.0).view(1, 1, 4, 4)
    windows = operations["local_r2"].function(x)
    assert windows[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_windows_pad_at_the_bottom_and_the_right(operations):
    windows = operations["local_r2"].function(torch.ones(1, 1, 3, 2))
    assert windows[0].tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]


def test_logsoftmax_n_is_over_the_batch_and_not_over_channels(operations):
    result = operations["logsoftmax_n"].function(_inputs((4, 3, 2, 2), torch.float64))
    torch.testing.assert_close(result.exp().sum(0), torch.ones(3, 2, 2, dtype=torch.float64))


@pytest.mark.parametrize(("name", "x"), [("mask", (6, 3, 5, 4)), ("drop", (6, 40, 2, 2))])
def test_generators_in_one_state_give_one_mask(operations, name, x):
    function = operations[name].function
    student, teacher = torch.ones(x), torch.full(x, 2.0)
    kept_s = function(student, generator=_seeded()) != 0
    kept_t = function(teacher, generator=_seeded()) != 0
    assert torch.equal(kept_s, kept_t)
    assert 0 < kept_s.float().mean() < 1
    other = function(student, generator=torch.Generator().manual_seed(8)) != 0
    assert not torch.equal(kept_s, other)


def test_mask_is_shared_by_all_channels_also_when_student_and_teacher_differ_in_them(operations):
    function = operations["mask"].function
    student = function(torch.ones(4, 2, 6, 6), generator=_seeded())
    teacher = function(torch.ones(4, 5, 6, 6), generator=_seeded())
    assert torch.equal(student[:, :1].expand(4, 5, 6, 6), teacher)


def test_masks_keep_their_shares(operations):
    x = torch.ones(50, 40, 10, 10)
    kept = operations["mask"].function(x, generator=_seeded())[:, 0]
    assert abs(kept.mean().item() - 0.35) < 0.02
    dropped = operations["drop"].function(x, generator=_seeded())[:, :, 0, 0]
    assert abs((dropped == 0).float().mean().item() - 0.1) < 0.02
    assert dropped.max().item() == pytest.approx(1 / 0.9)


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if default_registry()[n].idempotent])
@pytest.mark.parametrize("factor", [1e-7, 1.0, 1e3])
def test_an_idempotent_transform_changes_nothing_the_second_time(operations, name, factor):
    once = operations[name].function(_inputs((4, 3, 4, 4), torch.float64, factor))
    torch.testing.assert_close(operations[name].function(once), once)


@pytest.mark.parametrize("name", ["no", "scale_r1"])
def test_an_identity_hands_its_input_through(operations, name):
    x = _inputs((2, 3, 4, 5), torch.float64)
    assert torch.equal(operations[name].function(x), x)
