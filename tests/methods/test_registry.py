"""The hand-designed distillers, against their papers' formulas written out with plain torch in float64.

Sums, means and constants are those of the authors' code and of RepDistiller, whose weights the methods carry.
"""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kdzero_gp import Distiller, Knowledge
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.registry import METHODS, method, methods

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
    return float(Distiller(method(name).tree(STAGES))(student, teacher, TARGETS).detach())


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


def test_fitnet_is_romeros(student: Knowledge, teacher: Knowledge) -> None:
    """β · MSE(relu(bn(conv1x1(F_S))), F_T) on the second stage, mean over all elements, β = 100."""
    distiller = Distiller(method("fitnet").tree(STAGES), seed=3)
    result = float(distiller(student, teacher, TARGETS).detach())
    regressor = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.ReLU()).double()
    learned = distiller.state_dict()
    with torch.no_grad():
        regressor[0].weight.copy_(learned["learned.student_0_4x4x4.weight"])
    expected = 100 * float((regressor(student["stage2"]) - teacher["stage2"]).detach().square().mean())
    assert result == pytest.approx(expected, rel=1e-6)


def test_nst_is_huangs(student: Knowledge, teacher: Knowledge) -> None:
    """mean k(t, t) + mean k(s, s) - 2 mean k(s, t) over channel pairs and samples, k = (a·b)², β = 50 a stage."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a.unsqueeze(1) * b.unsqueeze(2)).sum(-1).square()

    total = 0.0
    for stage in STAGES:
        s, t = (F.normalize(side[stage].flatten(2), dim=2) for side in (student, teacher))
        total += float(kernel(t, t).mean() + kernel(s, s).mean() - 2 * kernel(s, t).mean())
    assert loss("nst", student, teacher) == pytest.approx(50 * total, rel=1e-9)


def test_rkd_is_parks(student: Knowledge, teacher: Knowledge) -> None:
    """25 · Huber of the distances over their mean of those above 0, 50 · Huber of the angles, means over all."""
    distances, angles = [], []
    for side in (student["pool"], teacher["pool"]):
        own = torch.stack([torch.stack([(a - b).norm() for b in side]) for a in side])
        distances.append(own / own[own > 0].mean())
        directions = F.normalize(side.unsqueeze(0) - side.unsqueeze(1), p=2, dim=2)
        angles.append(torch.bmm(directions, directions.transpose(1, 2)).flatten())
    expected = 25 * F.smooth_l1_loss(*distances) + 50 * F.smooth_l1_loss(*angles)
    assert loss("rkd", student, teacher) == pytest.approx(float(expected), rel=1e-9)


def test_pkt_is_passaliss(student: Knowledge, teacher: Knowledge) -> None:
    """30000 · mean over all pairs of p_T log(p_T / p_S), p the rows of (1 + cos)/2 over their sums."""
    affinities = []
    for side in (student["pool"], teacher["pool"]):
        cosines = torch.stack([F.cosine_similarity(row.unsqueeze(0), side) for row in side])
        affinity = (cosines + 1) / 2
        affinities.append(affinity / affinity.sum(1, keepdim=True))
    p_s, p_t = affinities
    expected = 30_000 * (p_t * ((p_t + 1e-7) / (p_s + 1e-7)).log()).mean()
    assert loss("pkt", student, teacher) == pytest.approx(float(expected), rel=1e-5)


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Of two lists of numbers."""
    return torch.corrcoef(torch.stack([a, b]))[0, 1]


def test_dist_is_huangs(student: Knowledge, teacher: Knowledge) -> None:
    """2τ² (1 - mean over samples of Pearson) + 2τ² (1 - mean over classes of Pearson) of softmax(z / τ), τ = 4."""
    y_s, y_t = ((side["logits"] / 4).softmax(1) for side in (student, teacher))
    rows = torch.stack([pearson(a, b) for a, b in zip(y_s, y_t, strict=True)])
    columns = torch.stack([pearson(a, b) for a, b in zip(y_s.T, y_t.T, strict=True)])
    expected = 2 * 16 * (1 - rows.mean()) + 2 * 16 * (1 - columns.mean())
    assert loss("dist", student, teacher) == pytest.approx(float(expected), rel=1e-9)


def test_dkd_is_zhaos(student: Knowledge, teacher: Knowledge) -> None:
    """α τ² KL of (true, rest) + β τ² KL among the rest, sums over classes and means over samples; α 1, β 2, τ 4."""
    target = other = 0.0
    for z_s, z_t, y in zip(student["logits"], teacher["logits"], TARGETS.tolist(), strict=True):
        rest = [k for k in range(7) if k != y]
        p_s, p_t = ((z / 4).softmax(0) for z in (z_s, z_t))
        two_s, two_t = (torch.stack([p[y], p[rest].sum()]) for p in (p_s, p_t))
        target += float((two_t * (two_t / two_s).log()).sum())
        r_s, r_t = ((z[rest] / 4).softmax(0) for z in (z_s, z_t))
        other += float((r_t * (r_t / r_s).log()).sum())
    assert loss("dkd", student, teacher) == pytest.approx(16 * (target + 2 * other) / 5, rel=1e-9)
    assert method("dkd").warmup_epochs == 20
    assert [m.name for m in METHODS.values() if m.warmup_epochs] == ["dkd", "review"]


def test_lskd_is_suns(student: Knowledge, teacher: Knowledge) -> None:
    """9 · τ² · KL of the logits less their mean over their unbiased deviation, τ = 2; 0.1 of the cross-entropy."""
    z_s, z_t = (
        (side["logits"] - side["logits"].mean(1, keepdim=True)) / (1e-7 + side["logits"].std(1, keepdim=True))
        for side in (student, teacher)
    )
    expected = 9 * 4 * F.kl_div((z_s / 2).log_softmax(1), (z_t / 2).softmax(1), reduction="batchmean")
    assert loss("lskd", student, teacher) == pytest.approx(float(expected), rel=1e-6)
    assert method("lskd").ce_weight == 0.1


def test_none_is_the_student_alone() -> None:
    assert method("none").ce_weight == 1
    with pytest.raises(ConfigError, match="none trains the student alone and has no distiller; leave it out"):
        method("none").tree(STAGES)


DISTILLERS = [name for name, known in METHODS.items() if known.text is not None]


def test_weights_do_not_depend_on_the_size_of_the_batch(student: Knowledge, teacher: Knowledge) -> None:
    """A batch twice over has the loss of the batch where samples are independent of one another."""
    twice = [Knowledge(**{name: torch.cat([x, x]) for name, x in side.items()}) for side in (student, teacher)]
    for name in ("kd", "at", "nst", "dkd", "lskd", "fitnet"):
        own = float(Distiller(method(name).tree(STAGES))(*twice, torch.cat([TARGETS, TARGETS])).detach())
        assert own == pytest.approx(loss(name, student, teacher), rel=1e-6), name


@pytest.mark.parametrize("name", [name for name in DISTILLERS if name != "fitnet"])
def test_every_method_is_nothing_between_equals(name: str, teacher: Knowledge) -> None:
    assert loss(name, teacher, teacher) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", DISTILLERS)
@pytest.mark.parametrize("stages", [("stage1",), ("stage1", "stage2"), STAGES])
def test_every_method_fits_pairs_with_fewer_stages(name: str, stages: tuple[str, ...]) -> None:
    taps = {node.symbol for node in method(name).tree(stages).root.walk() if node.kind == "tap"}
    assert taps <= {*stages, "pool", "logits"}
    if name in ("at", "nst"):
        assert taps == set(stages)


def test_a_pair_without_stages_is_told_which_methods_need_them() -> None:
    for name in ("kd", "rkd", "pkt", "dist", "dkd", "lskd"):
        assert method(name).tree(()).key == method(name).tree().key
    for name in ("at", "sp", "nst", "fitnet"):
        with pytest.raises(ConfigError, match=f"{name}.*stages.*none"):
            method(name).tree(())


def test_unknown_methods_are_named_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown method 'kdd'. Did you mean 'kd'\? Known: ab, at, bkd"):
        method("kdd")


def test_methods_come_once_each_in_order() -> None:
    assert [m.name for m in methods(["sp", "kd", "sp"])] == ["sp", "kd"]
