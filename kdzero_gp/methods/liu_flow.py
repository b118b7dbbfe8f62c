"""Knowledge flow with flowing maps: Liu, Peng, Schwing: Knowledge Flow: Improve Upon Your Teachers (ICLR 2019)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from kdzero_gp.errors import TapError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World
from kdzero_gp.taps.tap import Taps

FIRST_PENALTY, LAST_PENALTY = 0.01, 1.0
"""λ₁ at the beginning and at the end of the training."""


@module_method(
    "liu_flow",
    "Liu, Peng, Schwing: Knowledge Flow: Improve Upon Your Teachers (ICLR 2019)",
    needs_stages=True,
    home="no published figure under this recipe",
    exclusive=True,
)
class FlowingMaps(MethodLoss):
    """The teacher's maps are added to the student's own, stage by stage, and the student is weaned from them.

    In a second pass of every batch stage i hands on w_i0·s_i + Σ_j w_ij·Q_ij(t_j), Q_ij a learned 1x1 convolution of
    the teacher's stage j averaged to the student's size, w_i the softmax of learned numbers, equal at first. Loss =
    CE of that pass + λ₁ · Σ_i −log w_i0 + λ₂ · KL(that pass ‖ the student alone), with λ₁ from 0.01 to 1 log-linearly
    and λ₂ = 1. What is trained beside it by cross-entropy, tested and kept is the student alone, w_i0 = 1. The second
    pass leaves the running statistics of the student's batch normalisations as they are.

    No code was published. Uncertain: λ₁, λ₂ and the first shares; the paper's divergence is between the scores before
    and after a step that shrinks the shares, here they shrink to nothing at once, and it moves the student alone.
    """

    needs = ("images",)

    def __init__(self, stages: Stages, *, weight: float = 1.0, dependence: float = 1.0, agreement: float = 1.0) -> None:
        super().__init__(student=[*stages, "logits"], teacher=stages)
        self.stages = tuple(stages)
        self.weight, self.dependence, self.agreement = weight, dependence, agreement

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self._ours, _ = world.networks("liu_flow")
        for stage in self.stages:
            if self._ours.taps[stage].layout != "map":
                raise TapError(
                    f"liu_flow adds maps (N, C, H, W), but {self._ours} hands on its `{stage}` otherwise; use liu"
                )
        self.transforms, self.shares = nn.ModuleDict(), nn.ParameterDict()
        for own in self.stages:
            self.shares[own] = torch.zeros(1 + len(self.stages))
            self.transforms[own] = nn.ModuleDict(
                {other: nn.Conv2d(teacher[other][1], student[own][1], 1, bias=False) for other in self.stages}
            )

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        model = self._ours.model
        replaced = {stage: partial(self._mixed, stage, teacher) for stage in self.stages}
        statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
        with replacing(model, self._ours.taps, replaced):
            flowing = functional_call(model, statistics, (now.images,))
        own = torch.stack([self.shares[stage].log_softmax(0)[0] for stage in self.stages])
        penalty = FIRST_PENALTY * (LAST_PENALTY / FIRST_PENALTY) ** now.share
        ours, theirs = (F.log_softmax(scores, 1) for scores in (student["logits"], flowing.detach()))
        return {
            "flow": self.weight * F.cross_entropy(flowing, targets),
            "dependence": self.dependence * penalty * -own.sum(),
            "agreement": self.agreement * F.kl_div(ours, theirs, reduction="batchmean", log_target=True),
        }

    def _mixed(self, stage: str, teacher: Knowledge, maps: Tensor) -> Tensor:
        """Gives a student's map with its shares of the teacher's."""
        own, *others = self.shares[stage].softmax(0)
        transforms = self.transforms[stage]
        if not isinstance(transforms, nn.ModuleDict):
            raise AssertionError("build() makes them by stage")
        size = maps.shape[2], maps.shape[3]
        total: Tensor = own * maps
        for share, other in zip(others, self.stages, strict=True):
            flowing: Tensor = transforms[other](F.adaptive_avg_pool2d(teacher[other], size))
            total = total + share * flowing
        return total


@contextmanager
def replacing(model: nn.Module, taps: Taps, functions: Mapping[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Inside, one pass of a model goes on with what the functions make of its maps at these taps."""
    handles = []
    for name, function in functions.items():
        tap, calls = taps[name], [0]

        def reached(call: int = tap.call, calls: list[int] = calls) -> bool:
            calls[0] += 1
            return calls[0] == call + 1

        def on_input(_: nn.Module, inputs: Any, reached: Any = reached, function: Any = function) -> Any:
            return (function(inputs[0]), *inputs[1:]) if reached() else None

        def on_output(_: nn.Module, __: Any, output: Any, reached: Any = reached, function: Any = function) -> Any:
            return function(output) if reached() else None

        module = model.get_submodule(tap.path)
        if tap.side == "input":
            handles.append(module.register_forward_pre_hook(on_input))
        else:
            handles.append(module.register_forward_hook(on_output))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
