"""Every weight of Table 1 against plain loops."""

import math

import numpy as np
import pytest
import torch

from kdzero_gp.grammar.registry import default_registry

WEIGHTS = [n for n, op in default_registry().items() if op.kind == "weight" and not op.extended]


def _logits(shape, dtype, factor):
    generator = torch.Generator().manual_seed(5)
    student = factor * torch.randn(shape, generator=generator, dtype=torch.float64)
    teacher = factor * torch.randn(shape, generator=generator, dtype=torch.float64)
    targets = torch.randint(shape[1], (shape[0],), generator=generator)
    return student.to(dtype), teacher.to(dtype), targets


def _weight(operations, name, student, teacher, targets):
    options = {"targets": targets} if operations[name].labels else {}
    return operations[name].function(student, teacher, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("factor", [0.0, 1e-3, 2.0, 1e4])
@pytest.mark.parametrize("shape", [(5, 10), (1, 3), (4, 1)])
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weight_agrees_with_plain_loops(operations, plain, name, shape, factor, dtype):
    student, teacher, targets = _logits(shape, dtype, factor)
    result = _weight(operations, name, student, teacher, targets)
    expected = plain.WEIGHTS[name](student.double().numpy(), teacher.double().numpy(), targets.tolist())
    assert tuple(result.shape) == (shape[0],)
    assert bool((result >= 0).all())
    tolerance = 1e-10 if dtype == torch.float64 else 2e-5
    np.testing.assert_allclose(result.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_certainty_is_zero_for_a_uniform_teacher_and_one_for_a_sure_one(operations):
    teacher = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1e4, 0.0]])
    result = operations["w_entropy"].function(torch.zeros(2, 3), teacher)
    torch.testing.assert_close(result, torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_difficulty_reads_the_true_class_of_the_student(operations):
    student = torch.log(torch.tensor([[0.25, 0.75], [0.25, 0.75]]))
    result = operations["w_focal"].function(student, torch.zeros(2, 2), targets=torch.tensor([0, 1]))
    torch.testing.assert_close(result, torch.tensor([0.75**2, 0.25**2]))


def test_agreement_of_opposite_logits_is_zero(operations):
    x = torch.tensor([[1.0, -2.0, 3.0]])
    assert operations["w_sim"].function(x, -x).item() == pytest.approx(0, abs=1e-6)
    assert math.isclose(operations["w_sim"].function(x, 5 * x).item(), 1, rel_tol=1e-6)
