"""The published order, and the settings."""

import math

import pytest

from benchmarks.published_rank.settings import FULL_STEPS, PROXIES, PUBLISHED, Proxy
from kdzero_gp.methods.registry import METHODS


def test_the_published_order_has_the_eleven_methods() -> None:
    assert len(PUBLISHED) == 11
    assert set(PUBLISHED) < set(METHODS)
    assert list(PUBLISHED.values()) == sorted(PUBLISHED.values())
    assert FULL_STEPS == 240 * 781


def test_settings_have_their_own_names_and_fit_the_schedule() -> None:
    assert len({proxy.name for proxy in PROXIES}) == len(PROXIES)
    assert PROXIES[0].steps(6) == 6 * (5_000 // 64)
    recipe = PROXIES[0].recipe(0.1)
    assert (recipe.ce_weight, recipe.clip, recipe.nesterov, recipe.weight_decay) == (0.1, math.inf, False, 5e-4)
    with pytest.raises(ValueError, match=r"the last of stops is 7, but the schedule has 6 epochs"):
        Proxy("late", 100, 6, (2, 7))
    with pytest.raises(ValueError, match="ascending"):
        Proxy("twice", 100, 6, (2, 2))
