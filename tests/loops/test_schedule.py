"""Batches, epochs, learning rates and phases of a training."""

import pytest
import torch

from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.schedule import batches, extra_epochs, make_schedule
from kdzero_gp.methods.phase import Phase
from kdzero_gp.tasks.recipe import Recipe

RECIPE = Recipe(epochs=8, batch_size=10, lr=0.2)
IMAGES = 40


def test_one_phase_is_the_recipes_schedule() -> None:
    schedule = make_schedule(IMAGES, RECIPE, (Phase(),), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(schedule.order, batches(IMAGES, RECIPE, 3), strict=True))
    assert list(schedule.rates) == RECIPE.learning_rates(32)
    assert list(schedule.epochs) == [step // 4 for step in range(32)]
    assert [(segment.first, segment.end) for segment in schedule.segments] == [(0, 32)]


def test_an_extra_phase_comes_before_and_leaves_the_schedule_as_it_is() -> None:
    phases = (Phase("before", extra_epochs=60, lr=0.5), Phase())
    schedule, plain = make_schedule(IMAGES, RECIPE, phases, seed=3), make_schedule(IMAGES, RECIPE, (Phase(),), seed=3)
    assert schedule.extra == 8  # two of eight epochs, as 60 of 240
    assert all(torch.equal(a, b) for a, b in zip(schedule.order[8:], plain.order, strict=True))
    assert schedule.rates == (0.1,) * 8 + plain.rates
    assert schedule.epochs == (8,) * 4 + (9,) * 4 + plain.epochs
    assert not any(torch.equal(a, b) for a, b in zip(schedule.order[:8], plain.order[:8], strict=True))
    assert schedule.segment(7).phase.name == "before"
    assert schedule.segment(8).phase.name == "train"
    assert schedule.segment(99).phase.name == "train"


def test_an_extra_phase_has_at_least_one_epoch() -> None:
    assert extra_epochs(Recipe(epochs=2, batch_size=2, lr=0.1), Phase("before", extra_epochs=30)) == 1
    assert extra_epochs(Recipe(epochs=240, batch_size=2, lr=0.1), Phase("before", extra_epochs=30)) == 30
    assert extra_epochs(Recipe(epochs=240, batch_size=2, lr=0.1), Phase()) == 0


def test_shares_have_a_whole_schedule_of_rates_each() -> None:
    schedule = make_schedule(IMAGES, RECIPE, (Phase("a", share=0.25), Phase("b", share=0.75, lr=0.1)), seed=0)
    assert [(segment.first, segment.end) for segment in schedule.segments] == [(0, 8), (8, 32)]
    assert list(schedule.rates[:8]) == RECIPE.learning_rates(8)
    assert list(schedule.rates[8:]) == [0.1 * rate for rate in RECIPE.learning_rates(24)]


def test_phases_that_continue_share_one_schedule() -> None:
    phases = (Phase("a", share=0.5), Phase("b", share=0.5, continues=True))
    assert list(make_schedule(IMAGES, RECIPE, phases, seed=0).rates) == RECIPE.learning_rates(32)


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((Phase("a", share=0.5),), "add up to 0.5"),
        ((Phase(), Phase("b", extra_epochs=3)), "extra ones first"),
        ((Phase("b", extra_epochs=3),), "add up to 0"),
    ],
)
def test_phases_that_make_no_schedule_are_refused(phases: tuple[Phase, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_schedule(IMAGES, RECIPE, phases, seed=0)


def test_a_training_that_is_too_short_for_its_phases_is_refused() -> None:
    short = Recipe(epochs=1, batch_size=40, lr=0.2)
    with pytest.raises(ConfigError, match="1 steps are too few for the 4 phases"):
        make_schedule(IMAGES, short, tuple(Phase(str(n), share=0.25) for n in range(4)), seed=0)
