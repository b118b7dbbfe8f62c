"""MEAL against its formula in plain loops; its discriminators learn against the student."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.meal import Meal, common_shape, discriminator, flattened
from tests.methods.conftest import TARGETS, gradients, knowledge, prepared, random

GAMMAS = {"stage1": 0.01, "stage2": 0.05, "stage3": 0.1, "logits": 1.0}


def windows(size: int, number: int) -> list[range]:
    """Those of adaptive average pooling."""
    return [range(k * size // number, -(-(k + 1) * size // number)) for k in range(number)]


def averaged(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """One map (C, H, W), or vector, as a vector of averages."""
    maps = x if x.dim() == 3 else x[:, None, None]
    channels, rows, columns = (windows(size, number) for size, number in zip(maps.shape, shape, strict=True))
    values = [
        sum((maps[c, i, j] for c in cs for i in rs for j in js), torch.zeros(())) / (len(cs) * len(rs) * len(js))
        for cs in channels
        for rs in rows
        for js in columns
    ]
    return torch.stack(values)


def judged(layers: Any, x: Tensor) -> Tensor:
    for place in (0, 2):
        x = (layers[place].weight @ x + layers[place].bias).clamp(min=0)
    found: Tensor = layers[4].weight @ x + layers[4].bias
    return found


def by_hand(loss: Meal, sign: float, s: Knowledge, t: Knowledge) -> Tensor:
    """The sum of all terms; the adversary's with this sign towards the student."""
    total = torch.zeros((), dtype=torch.float64)
    for tap, gamma in GAMMAS.items():
        for own, other in zip(s[tap], t[tap], strict=True):
            ours, theirs = averaged(own, loss.shapes[tap]), averaged(other, loss.shapes[tap])
            p_s, p_t = (x.exp() / x.exp().sum() for x in (ours, theirs))
            for a, b in zip(p_s, p_t, strict=True):
                total = total - gamma * b * a.log() / 4
            for scores, label, towards in (
                (judged(loss.discriminators[tap], ours), 0, sign),
                (judged(loss.discriminators[tap], theirs), 1, 1.0),
            ):
                for place, score in enumerate(scores):
                    chance = torch.sigmoid(score) if place == label else 1 - torch.sigmoid(score)
                    total = total - towards * chance.log() / (8 * 2)
    return total


def built(text: str = "meal(length=12)") -> tuple[Knowledge, Knowledge, Meal]:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared(text, student, teacher)
    assert isinstance(loss, Meal)
    return student, teacher, loss


def test_its_value_is_similarities_and_what_discriminators_lower() -> None:
    student, teacher, loss = built()
    assert loss.shapes == {"stage1": (5, 1, 1), "stage2": (5, 1, 1), "stage3": (5, 1, 1), "logits": (3, 1, 1)}
    torch.testing.assert_close(loss(student, teacher), by_hand(loss, 1, student, teacher), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [3, 12, 80])
def test_the_student_raises_what_its_discriminators_lower(length: int) -> None:
    student, teacher, loss = built(f"meal(length={length})")
    value, wanted = loss(student, teacher), by_hand(loss, -1, student, teacher)
    ours, theirs = gradients(value, student), gradients(wanted, student)
    assert ours.keys() == theirs.keys() == set(GAMMAS)
    for tap in ours:
        torch.testing.assert_close(ours[tap], theirs[tap], rtol=1e-9, atol=1e-12)
    parameters = list(loss.parameters())
    found = torch.autograd.grad(loss(student, teacher), parameters)
    for slope, other in zip(found, torch.autograd.grad(by_hand(loss, 1, student, teacher), parameters), strict=True):
        torch.testing.assert_close(slope, other, rtol=1e-9, atol=1e-12)


def test_without_the_adversary_equal_taps_give_no_gradient() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("meal(adversarial=0)", both, both)
    for slope in gradients(loss(both, both.detach(), TARGETS), both).values():
        assert float(slope.abs().max()) < 1e-12


def test_similarities_count_more_towards_the_end() -> None:
    student = knowledge(0, stage4=(4, 5, 2, 2), stage5=(4, 5, 1, 1))
    stages = ("stage1", "stage2", "stage3", "stage4", "stage5")
    loss = prepared("meal", student, student, stages=stages)
    assert isinstance(loss, Meal)
    assert list(loss.gammas.values()) == [0.001, 0.001, 0.01, 0.05, 0.1, 1.0]


def test_common_shapes_hold_their_length() -> None:
    assert common_shape((64, 32, 32), (32, 32, 32), 1024) == (32, 5, 5)
    assert common_shape((16, 4, 8), (32, 8, 4), 1024) == (16, 4, 4)
    assert common_shape((2048, 8, 8), (4096, 8, 8), 1024) == (1024, 1, 1)
    maps = random(2, 4, 6, 6, seed=1)
    torch.testing.assert_close(flattened(maps, (2, 3, 3))[1], averaged(maps[1], (2, 3, 3)))


def test_a_discriminator_has_no_relu_before_its_scores() -> None:
    layers = discriminator(20)
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [tuple(p.shape) for p in layers.parameters() if p.dim() == 2] == [(10, 20), (5, 10), (2, 5)]
