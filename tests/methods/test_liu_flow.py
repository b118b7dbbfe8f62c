"""Knowledge flow with flowing maps against its formula in plain loops."""

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.liu_flow import FlowingMaps
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.world import Now, World
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.tap import Tap, Taps
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import TARGETS, knowledge, prepared, random

STAGES = ("stage1", "stage2")
IMAGES = random(4, 2, 6, 6, seed=9)


class Two(nn.Module):
    """Two stages with batch normalisation, the second read at the input of its pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 5, 1, stride=2)
        self.relu, self.pool, self.fc = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.relu(self.two(self.relu(self.norm(self.one(images)))))
        scores: Tensor = self.fc(self.pool(maps).flatten(1))
        return scores


TAPS = Taps(
    (
        ("stage1", Tap("relu", (3, 6, 6), "map")),
        ("stage2", Tap("pool", (5, 3, 3), "map", side="input")),
        ("logits", Tap("", (3,), "scores")),
    )
)


def built(layout: Any = "map") -> tuple[Two, Knowledge, Knowledge, FlowingMaps]:
    torch.manual_seed(3)
    model = Two().double()
    places = Taps((("stage1", Tap("relu", (3, 6, 6), "map", layout=layout)), *TAPS.places[1:]))
    world = World(
        student=Network("student", model, places, lambda: IMAGES), teacher=cast(Network, "the teacher is not asked")
    )
    student = Knowledge(
        stage1=random(4, 3, 6, 6, seed=1), stage2=random(4, 5, 3, 3, seed=2), logits=random(4, 3, seed=3)
    ).map(lambda tap: tap.requires_grad_())
    teacher = knowledge(50, channels=7)
    loss = prepared("liu_flow", student, teacher, world, STAGES)
    assert isinstance(loss, FlowingMaps)
    with torch.no_grad():
        for place, stage in enumerate(STAGES):
            loss.shares[stage].copy_(random(3, seed=20 + place))
    return model, student, teacher, loss


def averaged(maps: Tensor, size: int) -> Tensor:
    """(N, C, H, H) averaged over the windows of (N, C, size, size), which may overlap."""
    spans = [(k * maps.shape[2] // size, -(-(k + 1) * maps.shape[2] // size)) for k in range(size)]
    rows = [torch.stack([maps[:, :, a:b, c:d].mean((2, 3)) for c, d in spans], 2) for a, b in spans]
    return torch.stack(rows, 2)


def mixed(loss: FlowingMaps, stage: str, maps: Tensor, t: Knowledge) -> Tensor:
    numbers = loss.shares[stage].exp()
    shares = numbers / numbers.sum()
    total: Tensor = shares[0] * maps
    transforms: Any = loss.transforms[stage]
    for share, other in zip(shares[1:], STAGES, strict=True):
        pooled = averaged(t[other], maps.shape[2])
        total = total + share * torch.einsum("oi,nihw->nohw", transforms[other].weight[:, :, 0, 0], pooled)
    return total


def by_hand(model: Two, loss: FlowingMaps, s: Knowledge, t: Knowledge, share: float) -> Tensor:
    maps = F.conv2d(IMAGES, model.one.weight, model.one.bias)
    mean = maps.mean((0, 2, 3), keepdim=True)
    maps = (maps - mean) / (((maps - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    maps = (maps * model.norm.weight[:, None, None] + model.norm.bias[:, None, None]).clamp(min=0)
    maps = F.conv2d(mixed(loss, "stage1", maps, t), model.two.weight, model.two.bias, stride=2).clamp(min=0)
    scores = mixed(loss, "stage2", maps, t).mean((2, 3)) @ model.fc.weight.T + model.fc.bias
    total = torch.zeros((), dtype=torch.float64)
    for flowing, alone, label in zip(scores, s["logits"], TARGETS.tolist(), strict=True):
        total = total - (flowing.exp() / flowing.exp().sum()).log()[label] / 4
        p, q = (flowing.exp() / flowing.exp().sum()).detach(), alone.exp() / alone.exp().sum()
        for a, b in zip(p, q, strict=True):
            total = total + a * (a / b).log() / 4
    penalty = math.exp((1 - share) * math.log(0.01))
    for stage in STAGES:
        total = total - penalty * (loss.shares[stage].exp()[0] / loss.shares[stage].exp().sum()).log()
    return total


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_maps_flow_into_a_second_pass_and_its_dependence_is_penalised(share: float) -> None:
    model, student, teacher, loss = built()
    value = loss(student, teacher, TARGETS, Now(images=IMAGES, share=share))
    wanted = by_hand(model, loss, student, teacher, share)
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)
    learned = [student["logits"], *model.parameters(), *loss.parameters()]
    for ours, theirs in zip(torch.autograd.grad(value, learned), torch.autograd.grad(wanted, learned), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)


def test_the_second_pass_leaves_statistics_and_the_network_as_they_are() -> None:
    model, student, teacher, loss = built()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    alone = model.eval()(IMAGES)
    model.train()
    loss(student, teacher, TARGETS, Now(images=IMAGES))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model.eval()(IMAGES), alone)  # nothing flows into it any more


def test_tokens_are_refused() -> None:
    with pytest.raises(TapError, match="use liu"):
        built("tokens")


def test_in_training_every_stage_is_weaned(task: Task) -> None:
    training = Training(
        task, make_loss(None, "liu_flow", task.student_taps.stages), task.recipe, student_seed=1, order_seed=2
    )
    method = training.method
    assert isinstance(method, FlowingMaps)
    training.advance(training.steps)
    for stage in method.stages:
        assert float(method.shares[stage].detach().softmax(0)[0]) > 1 / (1 + len(method.stages))
