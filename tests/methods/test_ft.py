"""Factor transfer against its formula in plain loops; the paraphraser learns first and alone."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.ft import PARAPHRASING, FactorTransfer
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.world import Now
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import TARGETS, assert_same, knowledge, prepared


def encoded(maps: Tensor, layers: nn.Sequential) -> Tensor:
    """What the layers give, with batch normalisation by the batch written out."""
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            maps = F.conv2d(maps, layer.weight, layer.bias, padding=1)
        elif isinstance(layer, nn.BatchNorm2d):
            mean = maps.mean((0, 2, 3), keepdim=True)
            variance = ((maps - mean) ** 2).mean((0, 2, 3), keepdim=True)
            maps = (maps - mean) / (variance + 1e-5).sqrt()
        else:
            maps = torch.where(maps > 0, maps, 0.1 * maps)
    return maps


def distance(ours: Tensor, theirs: Tensor, *, attention: bool) -> Tensor:
    """The mean absolute difference of two batches of factors of norm 1."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for factors in zip(ours, theirs, strict=True):
        vectors = []
        for factor in factors:
            if attention:
                factor = sum((channel**2 for channel in factor), torch.zeros(())) / len(factor)
            vectors.append(factor.flatten() / (factor**2).sum().sqrt())
        for a, b in zip(*vectors, strict=True):
            total, count = total + (a - b).abs(), count + 1
    return total / count


@pytest.mark.parametrize(("text", "weight", "norms"), [("ft", 200, 3), ('ft(form="paper", weight=500)', 500, 0)])
def test_it_is_the_distance_of_factors_of_norm_one(text: str, weight: float, norms: int) -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=8)
    loss = prepared(text, student, teacher)
    assert isinstance(loss, FactorTransfer)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in loss.translator) == norms

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        ours, theirs = encoded(s["stage3"], loss.translator), encoded(t["stage3"], loss.paraphraser.encode)
        assert ours.shape == theirs.shape == (4, 4, 2, 2)  # half of the teacher's channels
        return weight * distance(ours, theirs.detach(), attention=norms == 3)

    assert_same(loss, by_hand, student, teacher)


def test_factors_of_other_sizes_meet_at_the_smaller() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True, stage3=(4, 5, 4, 4)), knowledge(50, channels=8)
    loss = prepared("ft", student, teacher)
    assert isinstance(loss, FactorTransfer)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        ours, theirs = encoded(s["stage3"], loss.translator), encoded(t["stage3"], loss.paraphraser.encode)
        windows = (ours[:, :, ::2, ::2] + ours[:, :, ::2, 1::2] + ours[:, :, 1::2, ::2] + ours[:, :, 1::2, 1::2]) / 4
        return 200 * distance(windows, theirs.detach(), attention=True)

    assert_same(loss, by_hand, student, teacher)


def test_equal_factors_cost_nothing() -> None:
    both = knowledge(0, channels=6, gradient=True)
    loss = prepared('ft(form="paper")', both, both)
    assert isinstance(loss, FactorTransfer)
    loss.translator.load_state_dict(loss.paraphraser.encode.state_dict())
    value = loss(both, both.detach(), TARGETS)
    assert float(value.detach()) == 0
    assert not bool(torch.autograd.grad(value, both["stage3"])[0].any())


def test_before_it_reconstructs_the_teachers_map() -> None:
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("ft", student, teacher)
    assert isinstance(loss, FactorTransfer)
    maps = encoded(teacher["stage3"], loss.paraphraser.encode)
    assert maps.shape == (4, 3, 2, 2)
    for layer in loss.paraphraser.decode:
        if isinstance(layer, nn.ConvTranspose2d):  # the convolution with its kernel turned round
            maps = F.conv2d(maps, layer.weight.transpose(0, 1).flip(2, 3), layer.bias, padding=1)
        else:
            maps = torch.where(maps > 0, maps, 0.1 * maps)
    wanted = sum(float(d.detach()) ** 2 for d in (maps - teacher["stage3"]).flatten()) / maps.numel()
    found = loss(Knowledge(), teacher, TARGETS, Now(phase=PARAPHRASING))
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-9)


def test_each_phase_trains_its_own_parts(task: Task) -> None:
    training = Training(
        task, make_loss(None, "ft", task.student_taps.stages), task.recipe, student_seed=1, order_seed=2
    )
    method = training.method
    assert isinstance(method, FactorTransfer)
    parts = {"paraphraser": method.paraphraser, "translator": method.translator, "student": training.student}

    def weights() -> dict[str, list[Tensor]]:
        return {name: [p.detach().clone() for p in part.parameters()] for name, part in parts.items()}

    def moved(before: dict[str, list[Tensor]]) -> set[str]:
        now = weights()
        return {n for n in now if any(not torch.equal(a, b) for a, b in zip(now[n], before[n], strict=True))}

    began = weights()
    training.advance(training.per_epoch)
    assert moved(began) == {"paraphraser"}
    between = weights()
    training.advance(training.steps)
    assert moved(between) == {"translator", "student"}
