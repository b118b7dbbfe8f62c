"""Every network of the zoo learns from others, and teaches others, by distillers drawn at random.

All 650 pairs take many minutes and run with KDZERO_GP_ALL_PAIRS=1; otherwise every network is a student once and a
teacher once, and a few pairs more are drawn.
"""

import os
from functools import cache, partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.loops.fused.choice import sound_trees
from kdzero_gp.loops.single import Training
from kdzero_gp.models import build, input_size, names
from kdzero_gp.tasks.input import InputSpec
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

ZOO = [name for name in names() if name not in ("cnn4", "cnn8", "cnn16")]
SIDE, CLASSES, IMAGES = 32, 3, 6
RECIPE = Recipe(epochs=1, batch_size=4, lr=0.01)


@cache
def noise() -> Dataset:
    images = torch.randint(0, 256, (IMAGES, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    split = Split(images.to(torch.uint8), torch.arange(IMAGES) % CLASSES)
    return Dataset("noise", CLASSES, split, split, split, (0.5,) * 3, (0.3,) * 3, 255.0)


def network(name: str, side: int = SIDE) -> nn.Module:
    return build(name, num_classes=CLASSES, image_size=(side, side))


def one_step(teacher: str, student: str, seed: int = 0, side: int = SIDE) -> None:
    torch.manual_seed(0)
    task = Task(
        f"{teacher} -> {student}", network(teacher), partial(network, student, side), noise(),
        recipe=RECIPE, proxy=RECIPE, student_input=InputSpec((side, side)),
    )  # fmt: skip
    assert {"pool", "logits"} <= set(task.student_taps)
    assert task.student_taps.stages
    tree = sound_trees(task, 1, seed)[0]
    training = Training(task, Distiller(tree), RECIPE, student_seed=0, order_seed=0)
    before = {key: value.clone() for key, value in training.student.state_dict().items()}
    training.advance(1)
    after = training.student.state_dict()
    assert training.step == 1
    assert all(bool(torch.isfinite(value.float()).all()) for value in after.values())
    changed = sum(not torch.equal(after[name], before[name]) for name, _ in training.student.named_parameters())
    assert changed > len(before) / 4


def pairs() -> list[tuple[str, str]]:
    if os.environ.get("KDZERO_GP_ALL_PAIRS"):
        return [(teacher, student) for teacher in ZOO for student in ZOO if teacher != student]
    return [(ZOO[(place + 7) % len(ZOO)], student) for place, student in enumerate(ZOO)]


@pytest.mark.parametrize(("teacher", "student"), pairs())
def test_one_step_of_every_network_as_teacher_and_as_student(teacher: str, student: str) -> None:
    one_step(teacher, student)


SMALL = [name for name in ZOO if name in ("cnn2", "resnet8", "wrn_16_1", "vgg8", "mobilenetv2", "deit_ti", "t2t_vit_7")]


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SMALL), st.sampled_from(SMALL), st.integers(0, 1000))
def test_pairs_and_distillers_at_random(teacher: str, student: str, seed: int) -> None:
    one_step(teacher, student, seed)


def test_the_size_that_a_transformer_was_designed_for() -> None:
    assert input_size("t2t_vit_7") == (224, 224)
    one_step("resnet8", "t2t_vit_7", side=224)
