"""Hand-designed methods as the first distillers of an evolution."""

import math
from functools import partial

import pytest

from kdzero_gp import Distiller, parse
from kdzero_gp.data import load_dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.grammar.types import CONSTANTS, Value
from kdzero_gp.grammar.vary import Limits
from kdzero_gp.methods.registry import method
from kdzero_gp.models import build
from kdzero_gp.run.seed_trees import seed_trees, translated
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=1, batch_size=32, lr=0.1)
NAMES = ("kd", "sp", "dist", "rkd")


@pytest.fixture(scope="module")
def task() -> Task:
    data = load_dataset("digits", limit=192)
    teacher, student = (partial(build, name, num_classes=10, in_channels=1) for name in ("cnn8", "cnn2"))
    return Task("small", teacher(), student, data, recipe=RECIPE, proxy=RECIPE)


@pytest.mark.parametrize(
    ("factor", "ce_weight", "expected"),
    [(1.0, 1.0, "0.5"), (0.01, 1.0, "50"), (0.01, 0.1, "100"), (1e9, 1.0, "0.01"), (0.12, 1.0, "5"), (None, 0.1, "1")],
)
def test_a_weight_is_the_nearest_of_the_grid(factor: float | None, ce_weight: float, expected: str) -> None:
    tree = parse("add(weight(0.5, kl(logits, 4)), weight(0.5, l2(pool)))")
    found = translated(tree, lambda _: factor, ce_weight)
    assert str(found) == f"add(weight({expected}, kl(logits, 4)), weight({expected}, l2(pool)))"


def test_every_term_begins_about_as_strong_as_published(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3))
    grid = CONSTANTS[Value]
    for name, seed in zip(NAMES, seed_trees(NAMES, evaluator, Limits()), strict=True):
        published = method(name)
        before = {t.distance.text: t for t in Distiller(published.tree(task.student_taps.stages)).terms_in_order}
        calibration = evaluator.screen(seed).calibration
        for new, factor in zip(Distiller(seed).terms_in_order, calibration, strict=True):
            wanted = before.pop(new.distance.text).value / published.ce_weight
            clamped = min(max(wanted / factor, grid[0]), grid[-1])
            assert abs(math.log(new.value / clamped)) <= math.log(5) / 2 + 1e-9, (name, new, factor)
        assert not before


def test_without_calibration_they_are_as_published(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, calibrate=False))
    stages = task.student_taps.stages
    assert seed_trees(NAMES, evaluator, Limits()) == [method(name).tree(stages) for name in NAMES]


def test_one_beyond_the_limits_is_refused(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3))
    with pytest.raises(ConfigError, match="--seed-methods dist has size"):
        seed_trees(["dist"], evaluator, Limits(max_depth=2, max_size=30))
