"""What a node does to a batch, recomputed with plain tensor operations."""

import pytest
import torch

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.readings import read_nodes
from kdzero_gp.drawing.reading import Reading, readings_as_data, readings_from_data
from kdzero_gp.grammar.decorators import transform
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.types import Logits, Vector
from kdzero_gp.knowledge import Knowledge


def knowledge(seed: int) -> Knowledge:
    generator = torch.Generator().manual_seed(seed)
    return Knowledge(logits=torch.randn(6, 5, generator=generator), pool=torch.randn(6, 3, generator=generator))


def test_values_and_gradients_are_those_of_the_formula() -> None:
    student, teacher = knowledge(0), knowledge(1)
    found = read_nodes(Distiller("weight(3, l2(tanh(logits)))", calibration=[0.5]), student, teacher)
    x = student["logits"].clone().requires_grad_()
    y = torch.tanh(x)
    y.retain_grad()
    per_sample = Distiller("weight(1, l2(logits))").means(
        Knowledge(logits=y), Knowledge(logits=teacher["logits"].tanh())
    )
    (3 * 0.5 * per_sample[0]).backward()
    assert x.grad is not None
    assert y.grad is not None
    assert found["logits"].value == pytest.approx(float(x.detach().square().mean().sqrt()), rel=1e-5)
    assert found["logits"].gradient == pytest.approx(float(x.grad.norm()), rel=1e-5)
    assert found["tanh(logits)"].gradient == pytest.approx(float(y.grad.norm()), rel=1e-5)
    assert set(found) == {"logits", "tanh(logits)", "l2(tanh(logits))"}
    assert {reading.state for reading in found.values()} == {"live"}


def test_constant_and_dead_subtrees() -> None:
    with active_registry().copy().active():
        transform(Vector, Logits, name="same_for_all")(lambda x: torch.ones_like(x) + 0 * x)
        distiller = Distiller("add(weight(1, l2(same_for_all(pool))), weight(1, l2(logits)))")
        found = read_nodes(distiller, knowledge(0), knowledge(1))
    assert found["same_for_all(pool)"].state == "constant"
    assert found["pool"] == Reading(found["pool"].value, 0.0, "dead")
    assert found["logits"].state == "live"


def test_data_and_back() -> None:
    readings = {"logits": Reading(1.5, 0.25, "live"), "l1(logits)": Reading(float("inf"), 0.0, "dead")}
    assert readings_from_data(readings_as_data(readings)) == readings
    for broken in (None, 3, [], {"a": 3}, {"a": [1.0, 2.0]}, {"a": ["x", 2.0, "live"]}, {"a": [1.0, 2.0, "odd"]}):
        assert readings_from_data(broken) == {}
