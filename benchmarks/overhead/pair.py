"""The pair and the distillers of the overhead benchmark: ResNet-56 to ResNet-20, trees that pass the screening."""

import random
from functools import partial
from pathlib import Path

import torch

from kdzero_gp import Tree, random_tree
from kdzero_gp.data import NO_AUGMENTATION, Augmentation, Dataset, Split
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.models import build, load_weights
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

TEACHER, STUDENT = "resnet56", "resnet20"
QUICK_PAIR = ("cnn4", "cnn2")
CLASSES, SIZE, BATCH = 100, 32, 64
MEAN, STD = (0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761)
RECIPE = Recipe(epochs=100, batch_size=BATCH, lr=0.01)
"""Long, so that every timed step lies in its warm-up: what is timed is a step, not a good training."""
CROP_AND_FLIP = Augmentation(padding=4, flip=True, views=2)


def make_images(count: int, seed: int = 0) -> Dataset:
    """Images of random pixels and labels: a step takes as long as with real ones."""
    random_numbers = torch.Generator().manual_seed(seed)

    def split(images: int) -> Split:
        pixels = torch.randint(0, 256, (images, 3, SIZE, SIZE), generator=random_numbers).to(torch.uint8)
        return Split(pixels, torch.arange(images) % CLASSES)

    return Dataset("random images", CLASSES, split(count), split(CLASSES), split(CLASSES), MEAN, STD, 255.0)


def make_pair(
    images: int,
    weights: Path | None,
    device: str,
    augment: Augmentation = NO_AUGMENTATION,
    names: tuple[str, str] = (TEACHER, STUDENT),
) -> Task:
    """The task; the teacher's weights are random unless a checkpoint is given."""
    torch.manual_seed(0)
    teacher = build(names[0], num_classes=CLASSES)
    if weights is not None:
        load_weights(teacher, weights)
    student = partial(build, names[1], num_classes=CLASSES)
    name = " -> ".join(names)
    return Task(
        name, teacher, student, make_images(images), recipe=RECIPE, proxy=RECIPE, device=device, augment=augment
    )


def screened_trees(task: Task, count: int, seed: int) -> list[tuple[Tree, Screening]]:
    """The first random trees of one stream that pass the screening, with their calibration."""
    evaluator = Evaluator(task, EvaluationSettings(run_seed=seed))
    rng = random.Random(seed)
    chosen: list[tuple[Tree, Screening]] = []
    while len(chosen) < count:
        tree = random_tree(rng)
        screening = evaluator.screen(tree)
        if isinstance(screening, Screening):
            chosen.append((tree, screening))
    return chosen
