"""A small real task: few digits, a briefly trained teacher, a student of another width."""

from functools import partial

import pytest
import torch

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.models import build
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=2, batch_size=32, lr=0.1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def few_digits() -> Dataset:
    return load_dataset("digits", limit=192)


def make_task(data: Dataset, teacher_width: int) -> Task:
    torch.manual_seed(0)
    teacher = build(f"cnn{teacher_width}", num_classes=10, in_channels=1)
    train_teacher(teacher, data, Recipe(epochs=6, batch_size=32, lr=0.1))
    student = partial(build, "cnn2", num_classes=10, in_channels=1)
    return Task("small", teacher, student, data, recipe=RECIPE, proxy=RECIPE)


@pytest.fixture(scope="session")
def task(few_digits: Dataset) -> Task:
    """Taps of different widths: distillers need aligners."""
    return make_task(few_digits, 8)


@pytest.fixture(scope="session")
def equal_task(few_digits: Dataset) -> Task:
    """Taps of one width: no aligner anywhere."""
    return make_task(few_digits, 2)


@pytest.fixture
def evaluator(task: Task) -> Evaluator:
    return Evaluator(task, EvaluationSettings(run_seed=3))
