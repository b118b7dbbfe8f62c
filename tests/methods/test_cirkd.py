"""CIRKD's image form against its formula in plain loops."""

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.cirkd import CrossImageRelations
from kdzero_gp.methods.world import Now
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared


def places(maps: Tensor) -> list[list[Tensor]]:
    """Unit vectors of the places of every image."""
    return [
        [
            image[:, i, j] / (image[:, i, j] ** 2).sum() ** 0.5
            for i in range(image.shape[1])
            for j in range(image.shape[2])
        ]
        for image in maps
    ]


def apart(place: Tensor, others: list[Tensor], teachers: Tensor, their_others: list[Tensor]) -> Tensor:
    """KL of the softmax of similarities / 0.1, teacher against student."""
    s, t = (
        torch.stack([(one * other).sum() / 0.1 for other in many]).softmax(0)
        for one, many in ((place, others), (teachers, their_others))
    )
    return (t * (t.log() - s.log())).sum()


def projected(loss: CrossImageRelations, maps: Tensor) -> Tensor:
    enter, leave = loss.project[0], loss.project[3]
    assert isinstance(enter, nn.Conv2d)
    assert isinstance(leave, nn.Conv2d)
    x = torch.einsum("oc,nchw->nohw", enter.weight[:, :, 0, 0], maps)
    mean, spread = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    x = ((x - mean) / (spread + 1e-5) ** 0.5).clamp(min=0)
    assert leave.bias is not None
    return torch.einsum("oc,nchw->nohw", leave.weight[:, :, 0, 0], x) + leave.bias[:, None, None]


def test_it_is_relations_across_images_and_to_the_teachers_queues() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("cirkd(places=40, regions=6, to_places=0.5, to_regions=0.25)", student, teacher)
    assert isinstance(loss, CrossImageRelations)
    queues = [loss.place_queues.vectors.clone(), loss.region_queues.vectors.clone()]

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for own, other in zip(s["logits"], t["logits"], strict=True):
            q, p = own.softmax(0), other.softmax(0)
            total = total + (p * (p.log() - q.log())).sum() / 4
        ours, theirs, moved = places(s["stage3"]), places(t["stage3"]), places(projected(loss, s["stage3"]))
        for i in range(4):
            for place in range(4):
                for j in range(4):
                    total = total + apart(ours[i][place], ours[j], theirs[i][place], theirs[j]) / (4 * 4 * 4)
                for weight, queue in zip((0.5, 0.25), queues, strict=True):  # shorter than what is compared: all of it
                    many = list(queue)
                    total = total + weight * apart(moved[i][place], many, theirs[i][place], many) / (4 * 4)
        return total

    assert_same(loss, by_hand, student, teacher)
    assert loss.place_queues.next.tolist() == [4, 4, 8]
    entered = {tuple(row.tolist()) for row in loss.place_queues.vectors[80:88]}
    known = {tuple(vector.tolist()) for image in (1, 3) for vector in places(teacher["stage3"])[image]}
    torch.testing.assert_close(torch.tensor(sorted(entered)), torch.tensor(sorted(known)))
    mean = torch.stack(places(teacher["stage3"])[0]).mean(0)
    torch.testing.assert_close(loss.region_queues.vectors[0], mean / (mean**2).sum() ** 0.5)


def test_equal_networks_have_equal_relations() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("cirkd(places=40, regions=6, to_places=0, to_regions=0)", both, both)
    value = loss(both, both.detach(), TARGETS, Now())
    assert abs(float(value.detach())) < 1e-12
    assert all(float(g.abs().max()) < 1e-9 for g in gradients(value, both).values())
