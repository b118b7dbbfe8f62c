"""Every stage of the screening, each met by a primitive made for it, and what the functional fingerprint tells."""

from collections.abc import Iterator, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor

from kdzero_gp import Vector, distance, parse
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.screen import RATES, Screener, Screening
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.models import build
from kdzero_gp.store.record import Evaluation
from kdzero_gp.tasks.input import InputSpec
from kdzero_gp.tasks.task import Task


def squared(student: Tensor, teacher: Tensor) -> Tensor:
    return (student - teacher).square().mean(1)


@pytest.fixture
def _oddities() -> Iterator[None]:
    """Distances that pass the probe at registration and fail one examination each."""
    with active_registry().copy().active():

        @distance(Vector)
        def infinite_on_more(student: Tensor, teacher: Tensor) -> Tensor:
            d = squared(student, teacher)
            return d / (0.0 if len(d) > 8 else 1.0)

        @distance(Vector)
        def flat(student: Tensor, teacher: Tensor) -> Tensor:
            return 1 + 0 * squared(student, teacher)

        @distance(Vector)
        def gradient_undefined_on_more(student: Tensor, teacher: Tensor) -> Tensor:
            d = squared(student, teacher)
            return d + (0 * d).sqrt() if len(d) > 8 else d

        @distance(Vector)
        def nearness(student: Tensor, teacher: Tensor) -> Tensor:
            return torch.exp(-squared(student, teacher))

        @distance(Vector)
        def uphill(student: Tensor, teacher: Tensor) -> Tensor:
            d = squared(student, teacher)
            return 2 * d.detach() - d

        @distance(Vector)
        def sound(student: Tensor, teacher: Tensor) -> Tensor:
            return squared(student, teacher)

        yield


@pytest.mark.usefixtures("_oddities")
@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("weight(1, infinite_on_more(logits))", "non_finite_loss"),
        ("weight(1, flat(logits))", "no_gradient"),
        ("weight(1, gradient_undefined_on_more(logits))", "no_gradient"),
        ("add(weight(1, sound(logits)), weight(1, flat(logits)))", "no_gradient"),
        ("weight(1, nearness(softmax_c(logits)))", "not_smaller_when_equal"),
        ("weight(1, uphill(logits))", "no_progress"),
    ],
)
def test_each_stage_turns_down_what_it_is_for(evaluator: Evaluator, text: str, stage: str) -> None:
    evaluation = evaluator.screen(parse(text))
    assert isinstance(evaluation, Evaluation)
    assert (evaluation.status, evaluation.stage) == ("rejected", stage)
    assert evaluation.fitness is None
    assert evaluation.steps == 0
    assert evaluation.seed == evaluator.own_seed


@pytest.mark.usefixtures("_oddities")
@pytest.mark.parametrize("text", ["weight(1, sound(logits))", "weight(1, kl(logits, 4))", "weight(5, l2(stage2))"])
def test_sound_distillers_pass(evaluator: Evaluator, text: str) -> None:
    screening = evaluator.screen(parse(text))
    assert isinstance(screening, Screening)
    assert screening.stage is None
    assert screening.fingerprint


def fingerprint(evaluator: Evaluator, text: str) -> str:
    result = evaluator.screen(parse(text))
    assert result.fingerprint is not None, result
    return result.fingerprint


EQUAL_IN_EFFECT = [
    ("weight(1, l2(stage1))", "weight(1, l2(local_r1(stage1)))"),
    ("weight(1, l2(stage1))", "weight(1, l2(channel(stage1)))"),
    ("weight(1, l2(relu(stage2)))", "weight(1, l2(stage2))"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL_IN_EFFECT)
def test_trees_that_agree_in_effect_have_one_fingerprint(equal_task: Task, one: str, other: str) -> None:
    evaluator = Evaluator(equal_task, EvaluationSettings(run_seed=3))
    assert parse(one).key != parse(other).key
    assert fingerprint(evaluator, one) == fingerprint(evaluator, other)


@pytest.mark.parametrize("tail", ["", "channel", "local_r1"])
def test_behind_an_aligner_they_agree_too(task: Task, tail: str) -> None:
    """One tap has one aligner for all distillers, so what agrees behind it agrees in effect."""
    assert task.student_taps["stage2"].shape[0] != task.teacher_taps["stage2"].shape[0]
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3))
    text = f"weight(1, l2({tail}(stage2)))" if tail else "weight(1, l2(no(stage2)))"
    assert fingerprint(evaluator, text) == fingerprint(evaluator, "weight(1, l2(stage2))")


def test_trees_that_differ_in_effect_have_different_fingerprints(equal_task: Task) -> None:
    evaluator = Evaluator(equal_task, EvaluationSettings(run_seed=3))
    texts = [
        "weight(1, kl(logits, 4))",
        "weight(5, kl(logits, 4))",
        "weight(1, kl(logits, 2))",
        "weight(1, l2(logits))",
        "weight(1, l2(stage1))",
        "weight(1, l2(stage2))",
        "weight(1, l1(stage1))",
        "weight(1, l2(satt(stage1)))",
        "add(weight(1, kl(logits, 4)), weight(1, l2(stage1)))",
        "add(weight(1, kl(logits, 4)), weight(5, l2(stage1)))",
    ]
    assert len({fingerprint(evaluator, text) for text in texts}) == len(texts)


class Dropping(torch.nn.Module):
    """A student with dropout before its last layer."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.drop = torch.nn.Dropout(0.5)
        self.fc = torch.nn.Linear(4, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = torch.relu(self.conv(images)).mean((2, 3))
        scores: Tensor = self.fc(self.drop(features))
        return scores


def make_task(base: Task, student: partial[torch.nn.Module], side: int | None = None) -> Task:
    size = None if side is None else (side, side)
    recipes = {"recipe": base.recipe, "proxy": base.proxy}
    return Task("another student", base.teacher, student, base.data, student_input=InputSpec(size), **recipes)


def test_what_dropout_leaves_out_does_not_depend_on_what_was_screened_before(task: Task) -> None:
    dropping = make_task(task, partial(Dropping, 10))
    texts = ["weight(1, l2(logits))", "weight(1, kl(logits, 4))", "weight(10, correlation(logits))"]

    def screened(order: Sequence[str]) -> dict[str, object]:
        evaluator = Evaluator(dropping, EvaluationSettings(run_seed=3))
        torch.rand(len(order[0]))  # what a worker did before
        state = torch.get_rng_state()
        found = {text: evaluator.screen(parse(text)) for text in order}
        assert torch.equal(torch.get_rng_state(), state)
        return {text: (r.stage, r.fingerprint, r.calibration) for text, r in found.items()}

    assert screened(texts) == screened(texts[::-1])


def test_a_student_that_overshoots_takes_smaller_steps(task: Task) -> None:
    """At a rate that suits a CNN a transformer's loss jumps up and down; hand-designed losses pass all the same."""
    transformer = partial(build, "deit_ti", num_classes=10, in_channels=1, image_size=(32, 32))
    screener = Screener(make_task(task, transformer, side=32), seed=0, init_seed=0, calibrate=True)
    assert screener.rate < RATES[0]
    assert Screener(task, seed=0, init_seed=0, calibrate=True).rate == RATES[0]
    for text in ("weight(1, kl(logits, 4))", "weight(10, l2(logits))", "weight(1, pearson(logits))"):
        assert screener(parse(text)).stage is None, text
