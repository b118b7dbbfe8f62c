"""Methods that are modules: random knowledge in float64, a method prepared for it, and a small real pair."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.registry import method
from kdzero_gp.methods.world import World
from kdzero_gp.models import build
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.tap import Tap, Taps
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

STAGES = ("stage1", "stage2", "stage3")
TARGETS = torch.tensor([0, 2, 1, 2])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def knowledge(seed: int, *, channels: int = 6, gradient: bool = False, **more: tuple[int, ...]) -> Knowledge:
    """A batch of four, float64: three stages of the same channels at 8, 4 and 2, pool, logits of three classes.

    Args:
        gradient: whether the tensors are leaves that need one.
        more: shapes of further taps.
    """
    shapes = {"stage1": (4, channels, 8, 8), "stage2": (4, channels, 4, 4), "stage3": (4, channels, 2, 2)}
    shapes |= {f"pre{n}": shapes[f"stage{n}"] for n in (1, 2, 3)}
    shapes |= {"pool": (4, channels), "logits": (4, 3), **more}
    taps = {name: random(*shape, seed=seed + place) for place, (name, shape) in enumerate(shapes.items())}
    return Knowledge(**{name: tap.requires_grad_(gradient) for name, tap in taps.items()})


def prepared(
    text: str, student: Knowledge, teacher: Knowledge, world: World | None = None, stages: tuple[str, ...] = STAGES
) -> MethodLoss:
    """A method as a user writes it, its modules built for these taps and brought to float64."""
    loss = method(text).loss(stages, seed=5)
    return loss.prepare(student, teacher, world).double()


def gradients(value: Tensor, student: Knowledge) -> dict[str, Tensor]:
    """The gradient of a value with respect to every tap that it depends on."""
    taps = dict(student)
    found = torch.autograd.grad(value, list(taps.values()), allow_unused=True, retain_graph=True)
    return {name: g for name, g in zip(taps, found, strict=True) if g is not None}


def assert_same(
    loss: MethodLoss, by_hand: Any, student: Knowledge, teacher: Knowledge, **options: Any
) -> Mapping[str, Tensor]:
    """Value and gradients of a method are those of a formula written a second time, to 1e-9.

    Args:
        by_hand: gives the value from (student, teacher).
        options: further arguments of the method, `targets` or `now`.

    Returns:
        The gradients.
    """
    value, wanted = loss(student, teacher, **({"targets": TARGETS} | options)), by_hand(student, teacher)
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-12)
    ours, theirs = gradients(value, student), gradients(wanted, student)
    assert ours
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-9, atol=1e-12)
    return ours


def networks(*, teacher_head: nn.Linear) -> dict[str, Any]:
    """Two networks of a `World`, of which the teacher ends in this classifier."""

    class Ends(nn.Module):
        def __init__(self, fc: nn.Module) -> None:
            super().__init__()
            self.fc = fc

        def forward(self, pooled: Tensor) -> Tensor:
            scores: Tensor = self.fc(pooled)
            return scores

    found = {}
    for role, head in (("student", nn.Linear(5, 3).double()), ("teacher", teacher_head)):
        pool = Tap("fc", (head.in_features,), "vector", side="input")
        places = (("pool", pool), ("logits", Tap("", (head.out_features,), "scores")))
        images = random(2, head.in_features, seed=7)
        found[role] = Network(role, Ends(head), Taps(places), lambda images=images: images)
    return found


RECIPE = Recipe(epochs=2, batch_size=32, lr=0.1)
TEACHER = Recipe(epochs=4, batch_size=32, lr=0.1)


@pytest.fixture(scope="session")
def few_digits() -> Dataset:
    return load_dataset("digits", limit=192)


@pytest.fixture(scope="session")
def task(few_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A teacher and a student of other widths on few digits, six steps an epoch."""
    torch.manual_seed(0)
    teacher = build("cnn8", num_classes=10, in_channels=1)
    route: dict[int, dict[str, Tensor]] = {}

    def keep(epoch: int) -> None:
        route[epoch] = {name: value.clone() for name, value in teacher.state_dict().items()}

    train_teacher(teacher, few_digits, TEACHER, after_epoch=keep).zero_grad(set_to_none=True)
    student = partial(build, "cnn2", num_classes=10, in_channels=1)
    cache = tmp_path_factory.mktemp("cache")
    return Task(
        *("small", teacher, student, few_digits),
        recipe=RECIPE,
        proxy=RECIPE,
        cache_dir=cache,
        route=lambda share: route[round(share * TEACHER.epochs)],
    )
