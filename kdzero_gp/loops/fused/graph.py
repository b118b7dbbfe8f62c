"""A training step as one CUDA graph: thousands of small kernels for the cost of one launch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss

_log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps run as usual before the capture, so that whatever is made on first use exists."""

Step = Callable[[Tensor, Tensor, Knowledge, "Tensor | float"], None]


def graph_refusal(device: torch.device, distillers: Sequence[Distiller | MethodLoss | None]) -> str:
    """Tells why the step of these distillers cannot be a graph, "" if nothing is known against it."""
    if device.type != "cuda":
        return f"graphs need a CUDA device, but this is {device}"
    for distiller in distillers:
        if isinstance(distiller, MethodLoss):
            return f"{type(distiller).__name__} is told the step, which differs every time"
        for term in distiller.terms_in_order if distiller is not None else ():
            for node in term.distance.walk():
                if node.operation is not None and node.operation.random:
                    return f"`{node.operation.name}` draws another random mask in every step"
    return ""


class StepGraph:
    """Runs a step eagerly a few times, then captures it and replays the capture.

    The step must do the same to the same tensors every time; only what is handed to it may change. Its Python code
    runs in the capture and never again. A step that cannot be captured, because the host waits for the device in it, is
    run as it is for good, and the log says why.

    Args:
        step: from images, targets, the teacher's knowledge and the learning rate.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._warm = 0
        self._given_up = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Tensor, Knowledge, Tensor] | None = None

    def __call__(self, images: Tensor, targets: Tensor, teacher: Knowledge, rate: float) -> None:
        """Makes one step."""
        if self._given_up:
            self._step(images, targets, teacher, rate)
        elif self._warm < WARM_UP:
            self._warm += 1
            self._on_another_stream(images, targets, teacher, rate)
        elif self._graph is not None or self._capture(images, targets, teacher, rate):
            self._replay(images, targets, teacher, rate)
        else:
            self._step(images, targets, teacher, rate)

    def forget(self) -> None:
        """Drops the capture, since the step or its tensors have changed."""
        self._graph = self._inputs = None
        self._warm = 0

    def _on_another_stream(self, images: Tensor, targets: Tensor, teacher: Knowledge, rate: float) -> None:
        here, other = torch.cuda.current_stream(images.device), torch.cuda.Stream(images.device)
        other.wait_stream(here)
        with torch.cuda.stream(other):
            self._step(images, targets, teacher, rate)
        here.wait_stream(other)

    def _capture(self, images: Tensor, targets: Tensor, teacher: Knowledge, rate: float) -> bool:
        given = (images.clone(), targets.clone(), teacher.map(torch.clone), torch.tensor(rate, device=images.device))
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._step(*given)
        except Exception as error:  # torch reports what cannot be captured in many ways
            _log.info("the training step runs without a CUDA graph: %s: %s", type(error).__name__, error)
            self._given_up = True
            return False
        self._graph, self._inputs = graph, given
        return True

    def _replay(self, images: Tensor, targets: Tensor, teacher: Knowledge, rate: float) -> None:
        if self._graph is None or self._inputs is None:
            raise AssertionError("a capture comes before its replay")
        own_images, own_targets, own_teacher, own_rate = self._inputs
        own_images.copy_(images)
        own_targets.copy_(targets)
        for name, tensor in own_teacher.items():
            tensor.copy_(teacher[name])
        own_rate.fill_(rate)
        self._graph.replay()
