"""The hand-designed distillers, against their papers' formulas written out with plain torch in float64."""

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.catalog.methods import METHODS, method, methods
from kdzero_gp.errors import ConfigError

STAGES = ("stage1", "stage2", "stage3")


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def knowledge(seed: int) -> Knowledge:
    """Equal shapes on both sides, so that no aligner has a part in the number."""
    return Knowledge(
        stage1=random(5, 3, 8, 8, seed=seed),
        stage2=random(5, 4, 4, 4, seed=seed + 1),
        stage3=random(5, 6, 2, 2, seed=seed + 2),
        pool=random(5, 6, seed=seed + 3),
        logits=3 * random(5, 7, seed=seed + 4),
    )


@pytest.fixture
def student() -> Knowledge:
    return knowledge(0)


@pytest.fixture
def teacher() -> Knowledge:
    return knowledge(100)


TARGETS = torch.tensor([0, 1, 2, 3, 6])


def loss(name: str, student: Knowledge, teacher: Knowledge) -> float:
    return float(Distiller(method(name).tree(STAGES))(student, teacher, TARGETS))


def test_kd_is_hintons(student: Knowledge, teacher: Knowledge) -> None:
    """0.9 · τ² · KL(softmax(z_T / τ) ‖ softmax(z_S / τ)), τ = 4, mean over the batch; 0.1 of the cross-entropy."""
    total = 0.0
    for z_s, z_t in zip(student["logits"], teacher["logits"], strict=True):
        p_s, p_t = ((z / 4).exp() / (z / 4).exp().sum() for z in (z_s, z_t))
        total += float((p_t * (p_t / p_s).log()).sum())
    assert loss("kd", student, teacher) == pytest.approx(0.9 * 16 * total / 5, rel=1e-9)
    assert method("kd").ce_weight == 0.1


def test_at_is_zagoruykos(student: Knowledge, teacher: Knowledge) -> None:
    """Q = vec(mean over channels of A²), L = β · Σ over stages of mean (Q_S/‖Q_S‖₂ - Q_T/‖Q_T‖₂)², β = 1000.

    The mean is over positions and samples, and β has no divisor: so in the authors' code.
    """
    total = 0.0
    for stage in STAGES:
        maps = []
        for side in (student, teacher):
            rows = []
            for sample in side[stage]:
                attention = sum(channel.square() for channel in sample) / len(sample)
                rows.append(attention.flatten() / attention.square().sum().sqrt())  # type: ignore[union-attr]
            maps.append(torch.stack(rows))
        total += float((maps[0] - maps[1]).square().mean())
    assert loss("at", student, teacher) == pytest.approx(1000 * total, rel=1e-9)


def test_sp_is_tungs(student: Knowledge, teacher: Knowledge) -> None:
    """G̃ = A Aᵀ with A the flattened maps, G its rows divided by their norms, L = γ/b² ‖G_T - G_S‖_F², γ = 3000."""
    grams = []
    for side in (student, teacher):
        flat = torch.stack([sample.flatten() for sample in side["stage3"]])
        gram = torch.tensor([[float((a * b).sum()) for b in flat] for a in flat], dtype=torch.float64)
        grams.append(torch.stack([row / row.square().sum().sqrt() for row in gram]))
    expected = 3000 / 25 * float((grams[0] - grams[1]).square().sum())
    assert loss("sp", student, teacher) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_nothing_between_equals(name: str, teacher: Knowledge) -> None:
    assert loss(name, teacher, teacher) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("stages", [("stage1",), ("stage1", "stage2"), STAGES])
def test_every_method_fits_pairs_with_fewer_stages(name: str, stages: tuple[str, ...]) -> None:
    taps = {node.symbol for node in method(name).tree(stages).root.walk() if node.kind == "tap"}
    assert taps <= {*stages, "logits"}
    if name == "at":
        assert taps == set(stages)


def test_a_pair_without_stages_is_told_which_methods_need_them() -> None:
    assert method("kd").tree(()).key == method("kd").tree().key
    for name in ("at", "sp"):
        with pytest.raises(ConfigError, match=f"{name}.*stages.*none"):
            method(name).tree(())


def test_unknown_methods_are_named_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown method 'kdd'. Did you mean 'kd'\? Known: kd, at, sp"):
        method("kdd")


def test_methods_come_once_each_in_order() -> None:
    assert [m.name for m in methods(["sp", "kd", "sp"])] == ["sp", "kd"]
