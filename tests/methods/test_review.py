"""Knowledge review against its formula in plain loops: fusion from deep to shallow, and the pyramid's distance."""

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.registry import method
from kdzero_gp.methods.review import Fusion, Review, pyramid_distance
from tests.methods.conftest import assert_same, knowledge, prepared, random


def averaged(maps: Tensor, size: int) -> Tensor:
    """Each of `size` x `size` windows by its mean."""
    step = maps.shape[2] // size
    rows = [
        [maps[:, :, i * step : (i + 1) * step, j * step : (j + 1) * step].sum((2, 3)) / step**2 for j in range(size)]
        for i in range(size)
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """HCL: the maps themselves, then 4x4, 2x2, 1x1 where smaller, each half as much; divided by the weights."""
    weights, total = [1.0], [((ours - theirs) ** 2).sum() / ours.numel()]
    for size in (4, 2, 1):
        if size < ours.shape[2]:
            a, b = averaged(ours, size), averaged(theirs, size)
            weights.append(weights[-1] / 2)
            total.append(weights[-1] * ((a - b) ** 2).sum() / a.numel())
    return torch.stack(total).sum() / sum(weights)


def normalised(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    channels = []
    for channel in range(maps.shape[1]):
        values = maps[:, channel]
        mean = values.sum() / values.numel()
        variance = ((values - mean) ** 2).sum() / values.numel()
        channels.append((values - mean) / (variance + norm.eps).sqrt() * norm.weight[channel] + norm.bias[channel])
    return torch.stack(channels, 1)


def enlarged(maps: Tensor, size: int) -> Tensor:
    """Nearest neighbours."""
    places = [(i * maps.shape[2]) // size for i in range(size)]
    return maps[:, :, places][:, :, :, places]


def convolved(maps: Tensor, weight: Tensor) -> Tensor:
    """3x3 with a border of zeros, position by position."""
    size = maps.shape[2]
    padded = torch.zeros(*maps.shape[:2], size + 2, size + 2, dtype=maps.dtype)
    padded[:, :, 1:-1, 1:-1] = maps
    rows = [
        [torch.einsum("ncij,ocij->no", padded[:, :, i : i + 3, j : j + 3], weight) for j in range(size)]
        for i in range(size)
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def by_hand(loss: Review, s: Knowledge, t: Knowledge) -> Tensor:
    above: Tensor | None = None
    total = torch.zeros((), dtype=torch.float64)
    for own, other in (("pool", "pool"), ("stage3", "pre3"), ("stage2", "pre2"), ("stage1", "pre1")):
        fusion = loss.fusions[own]
        assert isinstance(fusion, Fusion)
        level, wanted = (tap if tap.dim() == 4 else tap[:, :, None, None] for tap in (s[own], t[other]))
        fused = normalised(torch.einsum("nchw,oc->nohw", level, fusion.enter[0].weight[:, :, 0, 0]), fusion.enter[1])
        if above is not None:
            above = enlarged(above, fused.shape[2])
            assert fusion.attend is not None
            joined = torch.einsum("nchw,oc->nohw", torch.cat([fused, above], 1), fusion.attend[0].weight[:, :, 0, 0])
            shares = 1 / (1 + torch.exp(-(joined + fusion.attend[0].bias[:, None, None])))
            fused = fused * shares[:, 0, None] + above * shares[:, 1, None]
        fused = enlarged(fused, wanted.shape[2])
        total = total + 0.6 * distance(normalised(convolved(fused, fusion.leave[0].weight), fusion.leave[1]), wanted)
        above = fused
    return total


def test_it_reviews_from_deep_to_shallow() -> None:
    student, teacher = knowledge(0, channels=3, gradient=True), knowledge(50, channels=4)
    loss = prepared("review", student, teacher)
    assert isinstance(loss, Review)
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)
    assert method("review").warmup_epochs == 20


def test_maps_of_other_sizes_meet_at_the_teachers() -> None:
    student = knowledge(0, channels=3, gradient=True, stage2=(4, 3, 8, 8))
    teacher = knowledge(50, channels=4)
    loss = prepared("review", student, teacher)
    assert isinstance(loss, Review)
    assert_same(loss, lambda s, t: by_hand(loss, s, t), student, teacher)


def test_the_distance_of_equal_maps_is_nothing_and_levels_are_at_most_512_wide() -> None:
    maps = random(2, 3, 8, 8, seed=0)
    assert float(pyramid_distance(maps, maps)) == 0
    student = knowledge(0, channels=2, pool=(4, 600))
    loss = prepared("review", student, knowledge(50, channels=2))
    assert isinstance(loss, Review)
    assert loss.fusions["stage1"].enter[0].weight.shape[0] == 512
