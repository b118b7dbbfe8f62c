"""Internal representations against their formula in plain loops, as stages join."""

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.ir import EVERYTHING, InternalRepresentations
from kdzero_gp.methods.world import Now
from tests.methods.conftest import STAGES, assert_same, gradients, knowledge, prepared


def attention(maps: Tensor) -> Tensor:
    """Of one image (C, H, W)."""
    tokens = [maps[:, i, j] for i in range(maps.shape[1]) for j in range(maps.shape[2])]
    rows = [torch.stack([(a * b).sum() / len(a) ** 0.5 for b in tokens]) for a in tokens]
    return torch.stack([row.exp() / row.exp().sum() for row in rows])


@pytest.mark.parametrize(("phase", "count"), [("stage1", 1), ("stage2", 2), ("stage3", 3), (EVERYTHING, 3)])
def test_stages_join_from_below(phase: str, count: int) -> None:
    shapes = {"stage1": (4, 4, 4), "stage2": (4, 2, 2), "stage3": (4, 2, 2)}
    own: dict[str, tuple[int, ...]] = {name: (4, 5, *shape[1:]) for name, shape in shapes.items()}
    other: dict[str, tuple[int, ...]] = {name: (4, 7, *shape[1:]) for name, shape in shapes.items()}
    student, teacher = knowledge(0, gradient=True, **own), knowledge(50, **other)
    loss = prepared("ir(attention=2, cosine=3, kd=4)", student, teacher)
    assert isinstance(loss, InternalRepresentations)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for n in range(4):
            for stage in STAGES[:count]:
                ours, theirs = (attention(side[stage][n]) for side in (s, t))
                total = total + 2 * (theirs * (theirs.log() - ours.log())).sum() / (len(ours) * 4)
                linear = loss.projections[stage]
                assert isinstance(linear, nn.Linear)
                x = linear.weight @ torch.stack([channel.mean() for channel in s[stage][n]])
                y = torch.stack([channel.mean() for channel in t[stage][n]])
                total = total + 3 * (1 - (x * y).sum() / ((x**2).sum() * (y**2).sum()) ** 0.5) / 4
            if phase == EVERYTHING:
                q, p = ((side["logits"][n] / 4).exp() / (side["logits"][n] / 4).exp().sum() for side in (s, t))
                total = total + 4 * 16 * (p * (p.log() - q.log())).sum() / 4
        return total

    assert_same(loss, by_hand, student, teacher, now=Now(phase=phase))


def test_equal_networks_give_nothing_and_labels_come_last() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("ir", both, both)
    value = loss(both, both.detach())
    assert abs(float(value.detach())) < 1e-12
    assert all(float(g.abs().max()) < 1e-7 for g in gradients(value, both).values())
    assert [phase.ce_weight for phase in loss.phases] == [0, 0, 0, None]
