"""KDSVD against torch's own decomposition in plain loops; its gradient where singular values meet."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.singular_vectors import channel_vectors
from kdzero_gp.methods.svd import KdSvd
from tests.methods.conftest import STAGES, assert_same, gradients, knowledge, prepared


def vectors(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Of one sample's maps (C, H, W)."""
    wanted = torch.linalg.svd(theirs.flatten(1).T, full_matrices=False).Vh[0]
    wanted = wanted * wanted[wanted.abs().argmax()].sign()
    found = torch.linalg.svd(ours.flatten(1).T, full_matrices=False).Vh[:4]
    cosines = [float((row * wanted).sum().detach()) for row in found]
    best = max(range(len(cosines)), key=lambda place: abs(cosines[place]))
    return found[best] * (1 if cosines[best] > 0 else -1), wanted


def test_it_is_the_flow_of_aligned_singular_vectors() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("svd(weight=2)", student, teacher)
    assert isinstance(loss, KdSvd)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for n in range(4):
            pairs = {}
            for stage in STAGES:
                convolution = loss.connectors[stage]
                assert isinstance(convolution, nn.Conv2d)
                moved = torch.einsum("oc,chw->ohw", convolution.weight[:, :, 0, 0], s[stage][n])
                pairs[stage] = vectors(moved, t[stage][n])
            for before, stage in pairwise(STAGES):
                for a in range(7):
                    for b in range(7):
                        r_s, r_t = (
                            torch.exp(-((own[a] - other[b]) ** 2) / 8)
                            for own, other in zip(pairs[stage], pairs[before], strict=True)
                        )
                        total = total + 2 * (r_s - r_t) ** 2 / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def test_equal_maps_give_nothing() -> None:
    both = knowledge(0, gradient=True)
    value = prepared("svd", both, both)(both, both.detach())
    assert float(value.detach()) == 0
    assert all(float(g.abs().max()) == 0 for g in gradients(value, both).values())


def test_the_gradient_is_finite_where_singular_values_meet_or_there_is_nothing() -> None:
    for maps in (torch.eye(3).reshape(1, 3, 3, 1), torch.zeros(1, 3, 2, 2)):
        maps.requires_grad_(True)
        channel_vectors(maps, 4).sum().backward()
        assert maps.grad is not None
        assert bool(torch.isfinite(maps.grad).all())
