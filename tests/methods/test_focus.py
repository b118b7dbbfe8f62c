"""Attention over positions and channels against its formula in plain loops."""

import math

import pytest

from kdzero_gp.methods.focus import strong_channels, strong_positions
from tests.methods.conftest import random


def test_both_are_softmaxes_of_mean_strength_with_mean_one() -> None:
    maps = random(2, 3, 4, 5, seed=0)
    places, channels = strong_positions(maps, 0.5), strong_channels(maps, 0.5)
    for n in range(2):
        strength = [[sum(abs(float(maps[n, c, i, j])) for c in range(3)) / 3 for j in range(5)] for i in range(4)]
        total = sum(math.exp(value / 0.5) for row in strength for value in row)
        for i in range(4):
            for j in range(5):
                assert float(places[n, i, j]) == pytest.approx(20 * math.exp(strength[i][j] / 0.5) / total)
        means = [float(maps[n, c].abs().sum()) / 20 for c in range(3)]
        for c in range(3):
            wanted = 3 * math.exp(means[c] / 0.5) / sum(math.exp(mean / 0.5) for mean in means)
            assert float(channels[n, c]) == pytest.approx(wanted)
    assert float(places.mean()) == pytest.approx(1)
    assert float(channels.mean()) == pytest.approx(1)
