"""When a step may become a CUDA graph, and that replays train as steps do."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.fused.graph import WARM_UP, StepGraph, graph_refusal
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.tasks.task import Task

TREES = ("weight(1, kl(logits, 4))", None, "weight(1, l2(stage2))")


def make(task: Task, cuda_graph: bool) -> FusedTraining:
    distillers = [None if tree is None else Distiller(tree) for tree in TREES]
    return FusedTraining(task, distillers, task.recipe, student_seed=1, order_seed=2, cuda_graph=cuda_graph)


def test_random_masks_and_other_devices_speak_against_a_graph() -> None:
    cuda = torch.device("cuda")
    assert "cpu" in graph_refusal(torch.device("cpu"), [None])
    assert "`drop`" in graph_refusal(cuda, [None, Distiller("weight(1, w_conf(l2(drop(stage1))))")])
    assert graph_refusal(cuda, [None, Distiller("weight(1, l2(stage1))")]) == ""


def test_without_a_gpu_steps_run_as_they_are(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        asked = make(task, cuda_graph=True)
    assert "without a CUDA graph" in caplog.text
    usual = make(task, cuda_graph=False)
    for training in (asked, usual):
        training.advance(3)
    for ours, theirs in zip(asked.states(), usual.states(), strict=True):
        assert all(torch.equal(ours[name], value) for name, value in theirs.items())


@pytest.mark.gpu
def test_replays_train_as_steps_do(task: Task) -> None:
    there = Task(
        "gpu",
        copy.deepcopy(task.teacher),
        task._build_student,
        task.data,
        recipe=task.recipe,
        proxy=task.proxy,
        device="cuda",
    )
    replayed, usual = make(there, cuda_graph=True), make(there, cuda_graph=False)
    start = replayed.states()
    for training in (replayed, usual):
        training.advance(WARM_UP + 4)
    assert_alike(replayed, usual)
    for training in (replayed, usual):
        training.restore(start)
        training.advance(WARM_UP + 3)
    assert_alike(replayed, usual)


def assert_alike(ours: FusedTraining, theirs: FusedTraining) -> None:
    assert ours.alive == theirs.alive == [True] * len(TREES)
    for mine, twin in zip(ours.states(), theirs.states(), strict=True):
        for name, value in twin.items():
            torch.testing.assert_close(mine[name], value, rtol=1e-3, atol=1e-3)


class FakeGraph:
    """Stands in for a CUDA graph: replaying runs what was captured, on the captured tensors."""

    captured: Callable[[], None] | None = None

    def replay(self) -> None:
        assert self.captured is not None
        self.captured()


class Recorder:
    """A step that notes what it was called with, and can refuse to be captured."""

    def __init__(self, *, capturable: bool = True) -> None:
        self.capturable = capturable
        self.capturing: FakeGraph | None = None
        self.seen: list[tuple[float, float]] = []

    def __call__(self, images: Tensor, labels: Tensor, teacher: Knowledge, rate: float | Tensor) -> None:
        if self.capturing is not None:
            if not self.capturable:
                raise RuntimeError("operation not permitted when stream is capturing")
            self.capturing.captured = lambda: self.note(images, teacher, rate)
        else:
            self.note(images, teacher, rate)

    def note(self, images: Tensor, teacher: Knowledge, rate: float | Tensor) -> None:
        self.seen.append((float(images.sum() + teacher["pool"].sum()), round(float(rate), 3)))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()

    @contextmanager
    def capture(graph: FakeGraph) -> Iterator[None]:
        recorder.capturing = graph
        try:
            yield
        finally:
            recorder.capturing = None

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Mock())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Mock())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return recorder


def run_steps(step: StepGraph, count: int) -> list[tuple[float, float]]:
    """Steps on different batches and rates; what a step without a graph would have seen."""
    expected = []
    for number in range(count):
        images, pool, rate = torch.full((2, 1), float(number)), torch.full((2, 3), 10.0 * number), 0.1 * (number + 1)
        step(images, torch.zeros(2), Knowledge(pool=pool), rate)
        expected.append((2 * number + 60.0 * number, round(rate, 3)))
    return expected


def test_every_replay_sees_its_own_batch(recorder: Recorder) -> None:
    step = StepGraph(recorder)
    assert run_steps(step, WARM_UP + 4) == recorder.seen
    step.forget()
    recorder.seen.clear()
    assert run_steps(step, WARM_UP + 2) == recorder.seen


def test_what_cannot_be_captured_runs_as_it_is(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    recorder.capturable = False
    with caplog.at_level(logging.INFO):
        assert run_steps(StepGraph(recorder), WARM_UP + 4) == recorder.seen
    assert caplog.text.count("not permitted when stream is capturing") == 1
