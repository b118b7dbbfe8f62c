"""The examples of the pages "Add a …": each is loaded as a user's file and recomputed by plain loops."""

import math
from pathlib import Path

import pytest
import torch

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.grammar.registry import Registry, default_registry

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "add"
N, K = 5, 4


@pytest.fixture
def registry() -> Registry:
    return default_registry().copy()


def knowledge(seed: int) -> Knowledge:
    generator = torch.Generator().manual_seed(seed)
    return Knowledge(
        stage1=torch.randn(N, 3, 2, 2, generator=generator, dtype=torch.float64),
        logits=torch.randn(N, K, generator=generator, dtype=torch.float64),
    )


def loss(registry: Registry, file: str, text: str) -> float:
    registry.load_file(EXAMPLES / file)
    with registry.active():
        return float(Distiller(text)(knowledge(0), knowledge(1), torch.arange(N) % K))


def softened(scores: list[float], tau: float) -> list[float]:
    powers = [math.exp(score / tau) for score in scores]
    return [power / sum(powers) for power in powers]


def test_transform(registry: Registry) -> None:
    def energy(x: list[list[list[float]]]) -> list[float]:
        return [
            x[c][h][w] * sum(abs(x[other][h][w]) for other in range(3)) / 3
            for c in range(3)
            for h in range(2)
            for w in range(2)
        ]

    student, teacher = (knowledge(seed)["stage1"].tolist() for seed in (0, 1))
    each = [
        sum((a - b) ** 2 for a, b in zip(energy(s), energy(t), strict=True)) / 12
        for s, t in zip(student, teacher, strict=True)
    ]
    assert loss(registry, "transform.py", "weight(1, l2(energy(stage1)))") == pytest.approx(sum(each) / N)


def test_distance(registry: Registry) -> None:
    student, teacher = (knowledge(seed)["logits"].tolist() for seed in (0, 1))
    each = [
        16 * sum(abs(a - b) for a, b in zip(softened(s, 4), softened(t, 4), strict=True))
        for s, t in zip(student, teacher, strict=True)
    ]
    assert loss(registry, "distance.py", "weight(1, tv(logits, 4))") == pytest.approx(sum(each) / N)


def test_weight(registry: Registry) -> None:
    student, teacher = (knowledge(seed)["logits"].tolist() for seed in (0, 1))
    certainty = [softened(scores, 1)[number % K] for number, scores in enumerate(teacher)]
    distances = [sum(abs(a - b) for a, b in zip(s, t, strict=True)) / K for s, t in zip(student, teacher, strict=True)]
    expected = sum(u * d for u, d in zip(certainty, distances, strict=True)) / sum(certainty)
    assert loss(registry, "weight.py", "weight(1, w_right(l1(logits)))") == pytest.approx(expected)
