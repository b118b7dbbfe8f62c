"""A small real task: few digits, a briefly trained teacher, a student of another width."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.methods.named import NamedDistiller, named_distiller
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


@pytest.fixture(scope="session")
def teacher(few_digits: Dataset) -> nn.Module:
    torch.manual_seed(0)
    model = build("cnn8", num_classes=10, in_channels=1)
    return train_teacher(model, few_digits, Recipe(epochs=4, batch_size=32, lr=0.1))


@pytest.fixture(scope="session")
def task(few_digits: Dataset, teacher: nn.Module) -> Task:
    """Taps of different widths: distillers that compare features need aligners."""
    student = partial(build, "cnn2", num_classes=10, in_channels=1)
    return Task("small", teacher, student, few_digits, recipe=RECIPE, proxy=RECIPE)


@pytest.fixture(scope="session")
def unnormed_task(few_digits: Dataset, teacher: nn.Module) -> Task:
    """A student without batch normalisation: its samples know nothing of one another."""

    def student() -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
        )

    return Task("without norms", teacher, student, few_digits, recipe=RECIPE, proxy=RECIPE)


@pytest.fixture(scope="session")
def named() -> Callable[[str], NamedDistiller]:
    """The distiller of a text for a pair with two stages or more."""
    return lambda text: named_distiller(text, ("stage1", "stage2"))
