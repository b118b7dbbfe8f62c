"""Masked generative distillation: Yang et al.: Masked Generative Distillation (ECCV 2022)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "mgd",
    "Yang et al.: Masked Generative Distillation (ECCV 2022)",
    needs_stages=True,
    home="ImageNet, COCO, Cityscapes",
)
class MaskedGeneration(MethodLoss):
    """From what is left of the student's last map, two convolutions must generate the teacher's.

    weight · mean (G(mask ⊙ a(s)) − t)²: a is a 1x1 convolution where channels differ, the mask drops each channel of an
    image with probability 0.15 and leaves the others as they are, G = conv3x3, ReLU, conv3x3. Published for ImageNet is
    7e-5 · sum / N, which at 512x7x7 is 1.76 · mean: that weight of the mean is kept here for maps of every size, this
    project's choice. Maps of other sizes meet at the smaller one.

    Args:
        dropped: probability.
        masks: `channels`, as for classification; or `positions`, as for detection (0.65 with 2e-5 · sum / N for
            one-stage, 0.45 with 5e-7 for two-stage detectors) and segmentation (0.75 with 2e-5).
    """

    def __init__(
        self,
        stages: Stages,
        *,
        weight: float = 1.76,
        dropped: float = 0.15,
        masks: Literal["channels", "positions"] = "channels",
    ) -> None:
        super().__init__([stages[-1]])
        self.tap, self.weight, self.dropped, self.masks = stages[-1], weight, dropped, masks

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        own, channels = student[self.tap][1], teacher[self.tap][1]
        self.align = nn.Identity() if own == channels else nn.Conv2d(own, channels, 1)
        self.generate = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = to_common_size(student[self.tap], teacher[self.tap])
        maps = self.align(s)
        generated = self.generate(maps * self._mask(maps, now))
        return {"mgd": self.weight * F.mse_loss(generated, t)}

    def _mask(self, maps: Tensor, now: Now) -> Tensor:
        """0 for what is dropped, 1 for what stays: (N, C, 1, 1) or (N, 1, H, W)."""
        images, channels, *size = maps.shape
        shape = (images, channels, 1, 1) if self.masks == "channels" else (images, 1, *size)
        drawn = torch.rand(shape, generator=now.generator(maps.device, "mask"), device=maps.device)
        return (drawn >= self.dropped).to(maps.dtype)
