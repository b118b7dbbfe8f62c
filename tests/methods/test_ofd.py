"""The overhaul of feature distillation against its formula in plain loops, and its margins against an integral."""

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.ofd import Overhaul, margins
from kdzero_gp.methods.world import World
from kdzero_gp.taps.network import Network
from tests.methods.conftest import assert_same, gradients, knowledge, prepared


def normalisation(weights: list[float], biases: list[float]) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(len(weights))
    norm.load_state_dict(norm.state_dict() | {"weight": torch.tensor(weights), "bias": torch.tensor(biases)})
    return norm


NORM = normalisation([0.5, -1.0, 0.2, 2.0], [0.1, -0.3, 1.5, 0.0])
"""The third channel is negative with a chance of 3e-14."""


class Normalised:
    """A teacher of which only the normalisations are known."""

    def norm(self, name: str) -> nn.Module:
        assert name in ("pre1", "pre2", "pre3")
        return NORM


WORLD = World(student=cast(Network, Normalised()), teacher=cast(Network, Normalised()))


def margin(weight: float, bias: float) -> float:
    """The mean of the negative values of N(β, |γ|), summed in small steps."""
    deviation = abs(weight)
    step = deviation * 1e-4
    places = [bias - 12 * deviation + step * (k + 0.5) for k in range(240_000)]
    chances = [math.exp(-0.5 * ((x - bias) / deviation) ** 2) for x in places if x < 0]
    share = sum(chances) * step / (deviation * math.sqrt(2 * math.pi))
    if share <= 1e-3:
        return -3 * deviation
    return sum(x * chance for x, chance in zip(places, chances, strict=False)) / sum(chances)


def test_margins_are_means_of_what_the_relu_cuts_off() -> None:
    found = margins(NORM, 4).tolist()
    pairs = zip(NORM.weight.tolist(), NORM.bias.tolist(), strict=True)
    assert found == pytest.approx([margin(weight, bias) for weight, bias in pairs], rel=1e-5)
    assert found[2] == pytest.approx(-0.6)


def test_margins_of_a_norm_that_learns_nothing_and_of_dead_channels_are_finite() -> None:
    assert margins(nn.BatchNorm2d(2, affine=False), 2).tolist() == pytest.approx([-math.sqrt(2 / math.pi)] * 2)
    assert margins(normalisation([0.0, 0.0, 0.0], [0.0, -2.0, 2.0]), 3).tolist() == pytest.approx([0, -2, 0], abs=1e-6)


def by_hand(loss: Overhaul, s: Knowledge, t: Knowledge) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for place, tap in enumerate(("pre1", "pre2", "pre3")):
        connect: Any = loss.connectors[tap]
        maps = torch.einsum("oi,nihw->nohw", connect[0].weight[:, :, 0, 0], s[tap])
        mean = maps.mean((0, 2, 3), keepdim=True)
        maps = (maps - mean) / (((maps - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        lowest = margins(NORM, 4).tolist()
        for own, other in zip(maps, t[tap], strict=True):
            for channel in range(4):
                for a, b in zip(own[channel].flatten(), other[channel].flatten(), strict=True):
                    wanted = max(float(b), lowest[channel])
                    if float(a.detach()) > wanted or wanted > 0:
                        total = total + 0.001 * 2 ** (place - 2) * (a - wanted) ** 2 / 4
    return total


def test_it_is_the_partial_distance_to_the_teachers_margins() -> None:
    student, teacher = knowledge(0, channels=3, gradient=True), knowledge(50, channels=4)
    loss = prepared("ofd", student, teacher, WORLD)
    assert isinstance(loss, Overhaul)
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)


def test_maps_that_are_the_teachers_or_silent_with_it_cost_nothing() -> None:
    teacher = knowledge(50, channels=4)
    lowest = margins(NORM, 4).double()[:, None, None]
    clipped = {f"pre{n}": torch.maximum(teacher[f"pre{n}"], lowest) for n in (1, 2, 3)}
    silent = {name: torch.where(tap > 0, tap, tap - 1) for name, tap in clipped.items()}
    for taps in (clipped, silent):
        student = Knowledge(**taps).map(lambda tap: tap.clone().requires_grad_())
        loss = prepared("ofd", student, teacher, WORLD)
        assert isinstance(loss, Overhaul)
        for tap in ("pre1", "pre2", "pre3"):
            loss.connectors[tap] = nn.Identity()
        value = loss(student, teacher)
        assert float(value.detach()) == 0
        assert not any(bool(gradient.any()) for gradient in gradients(value, student).values())


def test_the_connectors_begin_as_published() -> None:
    student, teacher = knowledge(0, channels=300), knowledge(50, channels=4)
    loss = prepared("ofd", student, teacher, WORLD)
    assert isinstance(loss, Overhaul)
    convolution: Any = loss.connectors["pre2"]
    assert convolution[0].bias is None
    assert float(convolution[0].weight.std().detach()) == pytest.approx(math.sqrt(2 / 4), rel=0.1)
