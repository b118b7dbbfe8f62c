"""What counts as work, and that the screening turns down what is too much."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from kdzero_gp import parse
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.shapes import output_shape
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evaluate.work import NumbersWritten, numbers_at
from kdzero_gp.store.record import Evaluation
from kdzero_gp.tasks.task import Task


def test_every_operation_counts_what_it_writes_and_views_count_nothing() -> None:
    x = torch.randn(4, 6)
    with NumbersWritten() as written:
        y = x.exp()  # 24
        z = y.t().reshape(3, 8)  # a view of a transposed one has to be copied: 24
        view = z[:2].view(16)  # none
        torch.matmul(z, z.t())  # 9
        view.add_(1)  # 16, in place
        values, places = x.max(1)  # 4 values and 4 places
    assert written.count == 24 + 24 + 9 + 16 + 8
    assert values.shape == places.shape == (4,)


def test_the_backward_pass_counts_when_it_is_inside() -> None:
    x = torch.randn(5, requires_grad=True)
    with NumbersWritten() as forward:
        loss = functional.relu(x).sum()
    with NumbersWritten() as backward:
        loss.backward()
    assert forward.count == 5 + 1
    assert backward.count >= 5


def test_taps_are_counted_by_their_shapes(task: Task) -> None:
    expected = 0
    for taps in (task.student_taps, task.teacher_taps):
        for name in taps:
            size = 1
            for length in taps[name].shape:
                size *= length
            expected += size
    assert numbers_at(task.student_taps, task.teacher_taps) == expected


def test_a_distiller_beyond_the_limit_is_turned_down_before_its_gradients(task: Task) -> None:
    tree = parse("weight(1, l2(bmm(stage2)))")
    free = Evaluator(task, EvaluationSettings()).screen(tree)
    assert isinstance(free, Screening)
    bound = Evaluator(task, EvaluationSettings(max_work=0.1)).screen(tree)
    assert isinstance(bound, Evaluation)
    assert (bound.status, bound.stage) == ("rejected", "too_expensive")


@pytest.mark.parametrize("limit", [8.0, math.inf])
def test_the_count_changes_nothing_about_those_that_pass(task: Task, limit: float) -> None:
    tree = parse("add(weight(1, kl(logits, 4)), weight(5, l1(norm_n(pool))))")
    assert Evaluator(task, EvaluationSettings(max_work=limit)).screen(tree) == Evaluator(
        task, EvaluationSettings()
    ).screen(tree)


def test_the_limit_is_the_same_whatever_the_batch(task: Task) -> None:
    """A distiller's numbers per image do not depend on how many images the probe has, save for pairs of samples."""
    tree = parse("weight(1, l1(relu(stage1)))")
    counts = []
    for images in (8, 32):
        with task.reader(task.student(0).eval(), ("stage1", "logits")) as reader:
            student = reader(task.first_images("train", images))
        teacher = task.teacher_probe(("stage1", "logits"), images)
        distiller = Distiller(tree).prepare(student, teacher)
        with NumbersWritten() as written:
            distiller(student, teacher)
        counts.append(written.count / images)
    assert counts[0] == pytest.approx(counts[1], rel=0.02)


def test_whoever_screened_what_before_the_count_is_the_same(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes that were inferred before are remembered, and aligners are made once: neither is the distiller's work."""
    text = "weight(1, smooth_l1(log(stage1)))"
    counts = []

    class Counting(NumbersWritten):
        def __exit__(self, *args: Any) -> None:
            super().__exit__(*args)
            counts.append(self.count)

    monkeypatch.setattr("kdzero_gp.evaluate.screen.NumbersWritten", Counting)
    output_shape.cache_clear()
    for _ in range(2):
        Evaluator(task, EvaluationSettings()).screen(parse(text))
    assert counts[0] == counts[1] > 0
