"""Schedules and optimisers of a recipe, and the published recipes, against the numbers as they are published."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.presets import IMAGENET, LOCALITY, PRESETS, REPDISTILLER, named_recipe_for, preset, recipes_for
from kdzero_gp.tasks.recipe import Recipe

PER_EPOCH = 3


def by_epoch(recipe: Recipe) -> list[float]:
    """The learning rate of the first step of every epoch."""
    return recipe.learning_rates(recipe.epochs * PER_EPOCH)[::PER_EPOCH]


def test_repdistiller_falls_after_epochs_150_180_and_210() -> None:
    rates = by_epoch(REPDISTILLER)
    expected = [0.05] * 150 + [0.005] * 30 + [0.0005] * 30 + [0.00005] * 30
    assert rates == pytest.approx(expected)
    assert (REPDISTILLER.momentum, REPDISTILLER.nesterov, REPDISTILLER.weight_decay) == (0.9, False, 5e-4)
    assert REPDISTILLER.batch_size == 64
    assert REPDISTILLER.clip == math.inf


def test_imagenet_falls_after_epochs_30_60_and_90() -> None:
    assert by_epoch(IMAGENET) == pytest.approx([0.1] * 30 + [0.01] * 30 + [0.001] * 30 + [0.0001] * 10)


def test_transformers_rise_for_20_epochs_and_end_at_5e_6() -> None:
    rates = by_epoch(LOCALITY)
    assert LOCALITY.optimiser == "adamw"
    assert LOCALITY.weight_decay == 0.05
    assert rates.index(max(rates)) == 20
    assert max(rates) == 5e-4
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(5e-6, rel=0.05)
    assert rates[160] == pytest.approx((5e-4 + 5e-6) / 2)  # half-way down


@pytest.mark.parametrize("recipe", PRESETS.values(), ids=PRESETS)
def test_a_preset_of_fewer_epochs_keeps_its_shape(recipe: Recipe) -> None:
    shorter = Recipe(**(asdict(recipe) | {"epochs": 12}))
    rates = shorter.learning_rates(12 * 20)
    assert len(rates) == 240
    assert max(rates) == recipe.lr
    assert rates[-1] < 0.1 * recipe.lr


@pytest.mark.parametrize(
    ("student", "data", "name"),
    [
        ("resnet20", "cifar100", "repdistiller"),
        ("mobilenetv2", "npz:some.npz", "repdistiller-light"),
        ("shufflenetv1", "cifar100", "repdistiller-light"),
        ("timm:deit_tiny_patch16_224", "cifar100", "locality"),
        ("t2t_vit_7", "cifar100", "locality"),
        ("torchvision:resnet18", "imagenet:data", "imagenet"),
        ("cnn2", "digits", "digits"),
    ],
)
def test_the_recipe_follows_student_and_data(student: str, data: str, name: str) -> None:
    assert named_recipe_for(student, data) == name
    assert preset(name) is PRESETS[name]


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no preset 'crd'; known are repdistiller"):
        preset("crd")


def test_adamw_is_adamw_written_out() -> None:
    recipe = Recipe(1, 2, 0.01, nesterov=False, weight_decay=0.1, optimiser="adamw")
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(5, dtype=torch.float64))
    expected = parameter.detach().clone()
    optimiser = recipe.make_optimiser([parameter])
    first, second = torch.zeros_like(expected), torch.zeros_like(expected)
    for step in range(1, 5):
        gradient = torch.randn(5, dtype=torch.float64)
        parameter.grad = gradient.clone()
        optimiser.step()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        update = first / (1 - 0.9**step) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        expected = expected * (1 - 0.01 * 0.1) - 0.01 * update
    torch.testing.assert_close(parameter.detach(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser": "adam"}, "optimiser is adam, but must be sgd or adamw"),
        ({"schedule": "steps"}, r"milestones is \(\), but must be given for the schedule `steps`"),
        ({"milestones": (0.5,)}, "milestones .* for no other"),
        ({"schedule": "steps", "milestones": (0.6, 0.5)}, "ascending shares"),
        ({"schedule": "steps", "milestones": (0.6, 1.0)}, "ascending shares"),
        ({"decay": 0.0}, "decay is 0.0, but must be in"),
        ({"floor": 1.0}, "floor is 1.0"),
        ({"schedule": "steps", "milestones": (0.5,), "floor": 0.1}, "floor is 0.1"),
    ],
)
def test_the_new_fields_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe(**({"epochs": 1, "batch_size": 2, "lr": 0.1} | change))  # type: ignore[arg-type]


def test_a_search_trains_a_transformer_as_transformers_are_trained() -> None:
    for student, optimiser in (("resnet20", "sgd"), ("deit_ti", "adamw"), ("timm:vit_tiny_patch16_224", "adamw")):
        full, proxy = recipes_for("cifar100", student)
        assert (full.optimiser, proxy.optimiser) == (optimiser, optimiser), student
        assert proxy == replace(full, epochs=6), "annealed over its own length"
    assert recipes_for("digits", "deit_ti")[0] is preset("digits")
