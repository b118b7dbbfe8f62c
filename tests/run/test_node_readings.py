"""Readings of a run's best: for every one that can be looked into, and no failure of another's operation ends a run."""

from types import SimpleNamespace

import pytest
import torch

from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import Tournament
from kdzero_gp.grammar.decorators import transform
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.types import Logits, Vector
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.run.node_readings import node_readings
from kdzero_gp.store import Evaluation, Proposal


class SmallTask:
    """As much of a task as the readings need: 10 images, one linear layer as the student."""

    device = torch.device("cpu")
    student_taps = teacher_taps = ("logits",)

    def __init__(self) -> None:
        self.data = SimpleNamespace(train=range(10))

    def first_images(self, split: str, count: int) -> torch.Tensor:
        return torch.randn(count, 6, generator=torch.Generator().manual_seed(0))

    def targets(self, split: str) -> torch.Tensor:
        return torch.arange(10) % 3

    def student(self, seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        return torch.nn.Linear(6, 3)

    def reader(self, student: torch.nn.Module, names: object) -> "Reader":
        return Reader(student)

    def teacher_probe(self, names: object, count: int) -> object:
        return Knowledge(logits=torch.ones(count, 3))


class Reader:
    def __init__(self, student: torch.nn.Module) -> None:
        self.student = student

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, images: torch.Tensor) -> object:
        return Knowledge(logits=self.student(images))


def member(text: str) -> Individual:
    proposal = Proposal(0, 0, "evolve", "random", (), text, text, 0)
    return Individual.of(proposal, Evaluation("ok", fitness=1.0, calibration=(0.5,)), Tournament)


def test_every_node_has_a_value_a_gradient_and_a_state() -> None:
    (readings,) = node_readings([member("weight(2, l2(tanh(logits)))")], SmallTask()).values()  # type: ignore[arg-type]
    assert set(readings) == {"logits", "tanh(logits)", "l2(tanh(logits))"}  # type: ignore[arg-type]
    logits = SmallTask().student(0)(SmallTask().first_images("train", 10))
    expected = float(logits.detach().square().mean().sqrt())
    assert readings["logits"][0] == pytest.approx(expected, rel=1e-5)  # type: ignore[index, call-overload]


def test_an_operation_that_fails_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with active_registry().copy().active():
        transform(Vector, Logits, name="moody")(lambda x: x + 0)
        moody = member("weight(2, l2(moody(logits)))")
        operation = moody.tree.root.children[1].children[0].operation
        assert operation is not None

        def fail(x: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError

        object.__setattr__(operation, "function", fail)  # it passed its probe and fails here
        found = node_readings([moody, member("weight(2, l1(logits))")], SmallTask())  # type: ignore[arg-type]
    assert list(found) == ["weight(2, l1(logits))"]
    assert "cannot be looked at" in caplog.text
