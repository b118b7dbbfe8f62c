"""Which students can be stacked, and that those which cannot are noticed before they are trained wrongly."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.data import Dataset
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.ways import WAYS, Way, make_stack, refusal, stack_refusal
from kdzero_gp.models import build
from kdzero_gp.taps.find import find_taps
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Two layers and a classifier; subclasses change what lies between."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(self.between_channels, 6, 3, stride=2)
        self.fc = nn.Linear(6, 5)

    between_channels = 4

    def between(self, maps: Tensor) -> Tensor:
        return maps.relu()

    def forward(self, images: Tensor) -> Tensor:
        maps = self.second(self.between(self.first(images)))
        scores: Tensor = self.fc(maps.mean((2, 3)))
        return scores


class Concatenating(Net):
    between_channels = 8

    def between(self, maps: Tensor) -> Tensor:
        return torch.cat([maps, maps.relu()], 1)


class ChannelSoftmax(Net):
    def between(self, maps: Tensor) -> Tensor:
        return maps.softmax(1)


class Branching(Net):
    def between(self, maps: Tensor) -> Tensor:
        return maps.relu() if maps.mean() < 1e9 else maps


class Dropping(Net):
    def between(self, maps: Tensor) -> Tensor:
        return functional.dropout(maps, 0.5, self.training)


class Layered(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)

    def between(self, maps: Tensor) -> Tensor:
        normal: Tensor = self.norm(maps)
        return normal


class Everything(nn.Module):
    """All that the grouped form knows: biases, groups, other paddings, tied modules, two norms, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(3, 6, 3, groups=3, padding=1)
        self.twice = nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect", bias=False)
        self.again = self.twice
        self.group_norm = nn.GroupNorm(2, 6)
        self.batch_norm = nn.BatchNorm2d(6, affine=False)
        self.plain_norm = nn.BatchNorm2d(6, track_running_stats=False)
        self.hidden = nn.Linear(6 * 16, 7, bias=False)
        self.frozen = nn.Linear(7, 7).requires_grad_(False)
        self.fc = nn.Linear(7, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.twice(self.group_norm(self.depthwise(images)).relu())
        maps = functional.max_pool2d(self.plain_norm(self.batch_norm(self.again(maps))), 2)
        scores: Tensor = self.fc(self.frozen(self.hidden(maps.flatten(1)).tanh()))
        return scores


class Flat(nn.Module):
    """No convolution: the linear layer takes the images that all students share."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * 64, 9)
        self.fc = nn.Linear(9, 5)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.hidden(images.flatten(1)).relu())
        return scores


def refused(way: Way, model: type[nn.Module]) -> str:
    torch.manual_seed(0)
    students = [model() for _ in range(3)]
    return stack_refusal(way, students, find_taps(students[0], IMAGES), IMAGES)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", [Net, Everything, Flat])
def test_plain_networks_can_be_stacked(way: Way, model: type[nn.Module]) -> None:
    assert refused(way, model) == ""


@pytest.mark.parametrize(
    ("model", "reason"),
    [(Concatenating, "differs"), (ChannelSoftmax, "differs"), (Layered, "`norm` is a LayerNorm")],
)
def test_channels_that_would_mix_are_left_to_vmap(model: type[nn.Module], reason: str) -> None:
    assert reason in refused("grouped", model)
    assert refused("vmap", model) == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("model", "reason"), [(Branching, "data-dependent"), (Dropping, "draws random numbers")])
def test_what_no_program_can_hold_is_refused(way: Way, model: type[nn.Module], reason: str) -> None:
    assert reason in refused(way, model)


def test_the_check_leaves_students_and_randomness_as_they_were() -> None:
    torch.manual_seed(0)
    students = [build("cnn2", num_classes=5, in_channels=3) for _ in range(2)]
    before = [{name: value.clone() for name, value in student.state_dict().items()} for student in students]
    random = torch.get_rng_state()
    assert stack_refusal("grouped", students, find_taps(students[0], IMAGES), IMAGES) == ""
    assert torch.equal(torch.get_rng_state(), random)
    for student, state in zip(students, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in student.state_dict().items())
        assert all(parameter.grad is None for parameter in student.parameters())


def test_a_stack_is_made_the_first_way_that_fits_or_not_at_all(few_digits: Dataset) -> None:
    def task(between: str) -> Task:
        recipe = Recipe(epochs=1, batch_size=32, lr=0.1)
        teacher = build("cnn2", num_classes=10, in_channels=1)
        return Task(between, teacher, partial(One, between), few_digits, recipe=recipe, proxy=recipe)

    fitting, concatenating, dropping = task("relu"), task("cat"), task("dropout")
    assert type(make_stack(fitting, fitting.student(0), 2, ("logits",))).__name__ == "GroupedStack"
    assert type(make_stack(fitting, fitting.student(0), 2, ("logits",), "vmap")).__name__ == "VmapStack"
    assert type(make_stack(concatenating, concatenating.student(0), 2, ("logits",))).__name__ == "VmapStack"
    with pytest.raises(FuseError, match=r"grouped: .*differs"):
        make_stack(concatenating, concatenating.student(0), 2, ("logits",), "grouped")
    with pytest.raises(FuseError, match=r"grouped: .*random.*vmap: .*random.*one by one"):
        make_stack(dropping, dropping.student(0), 2, ("logits",))
    assert refusal(fitting, "grouped") == ""


class One(nn.Module):
    """A student for digits."""

    def __init__(self, between: str) -> None:
        super().__init__()
        self.between = between
        self.first = nn.Conv2d(1, 2, 3)
        self.second = nn.Conv2d(4 if between == "cat" else 2, 4, 3)
        self.fc = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        if self.between == "cat":
            maps = torch.cat([maps, -maps], 1)
        if self.between == "dropout":
            maps = functional.dropout(maps, 0.5, self.training)
        scores: Tensor = self.fc(self.second(maps.relu()).mean((2, 3)))
        return scores
