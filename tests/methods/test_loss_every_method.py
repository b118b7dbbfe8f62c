"""What holds for every method that is a module, on a real pair: it trains, stops and goes on, and leaks nowhere."""

from dataclasses import replace

import pytest
import torch

from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import make_loss, named_distiller
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.tasks.task import Task

MODULES = [name for name, method in METHODS.items() if method.module is not None]
OPTIONS = {"crd": "crd(negatives=32)", "cirkd": "cirkd(places=300, regions=30)"}
"""Of methods whose published ones are too large for a few digits."""


def training(task: Task, name: str) -> Training:
    stages = task.student_taps.stages
    named = named_distiller(OPTIONS.get(name, name), stages)
    recipe = replace(task.recipe, ce_weight=named.ce_weight)
    loss = make_loss(named.tree, named.module, stages, seed=3)
    steps = named.warmup_steps(recipe.steps(len(task.data.train)))
    return Training(task, loss, recipe, student_seed=1, order_seed=2, distiller_warmup=steps)


@pytest.mark.parametrize("name", MODULES)
def test_it_trains_and_goes_on_bit_for_bit_after_a_stop_in_every_phase(task: Task, name: str) -> None:
    whole = training(task, name)
    before = {key: value.clone() for key, value in task.teacher.state_dict().items()}
    whole.advance(whole.steps)
    ends = [segment.end for segment in whole.schedule.segments]
    stops = sorted({1, *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])})
    current = training(task, name)
    for stop in stops:
        current.advance(stop)
        state = current.state()
        torch.manual_seed(stop)  # nobody's business
        current = training(task, name)
        current.restore(state)
    ours, theirs = whole.state(), current.state()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key
    assert not [key for key, value in ours.items() if not bool(torch.isfinite(value).all())]
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    for key, value in task.teacher.state_dict().items():
        assert torch.equal(value, before[key]), f"the teacher's {key} moved"


@pytest.mark.parametrize("name", MODULES)
def test_what_it_learns_moves_and_stays_out_of_the_student(task: Task, name: str) -> None:
    loss = training(task, name)
    assert loss.method is not None
    began = [parameter.detach().clone() for parameter in loss.method.parameters()]
    student = set(task.student(0).state_dict())
    loss.advance(loss.steps)
    moved = [not torch.equal(a, b) for a, b in zip(began, loss.method.parameters(), strict=True)]
    assert all(moved), f"{moved.count(False)} of {len(moved)} tensors of {name} never moved"
    if "wrapped student" not in loss.method.needs:
        assert set(loss.student.state_dict()) == student
