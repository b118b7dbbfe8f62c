"""Focal and global distillation: Yang et al.: Focal and Global Knowledge Distillation for Detectors (CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.focus import strong_channels, strong_positions
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "fgd",
    "Yang et al.: Focal and Global Knowledge Distillation for Detectors (CVPR 2022)",
    needs_stages=True,
    home="COCO",
)
class FocalGlobal(MethodLoss):
    """The student's last map is the teacher's where that is strong, is strong where that is, and has its relations.

    With A_s and A_c the attention over positions and channels at T = 0.5, sums over everything divided by N: focal
    1e-3 · Σ M·A_s^t·A_c^t·(s − t)², attention 5e-4 · (Σ|A_s^t − A_s^s| + Σ|A_c^t − A_c^s|), global 5e-6 ·
    Σ (G_s(s) − G_t(t))², G a global context block for each network, both trained. A 1x1 convolution stands on the
    student's side where channels differ; maps of other sizes meet at the smaller one.

    The form for images, this project's: one box that is the whole image, so M = 1/(H·W) everywhere and the term of the
    background, published as 5e-4, is 0. Weights are those of one-stage detectors, with all levels of a pyramid;
    two-stage ones have 5e-5, 5e-5, 5e-7, FCOS 1.6e-3, 8e-4, 8e-6 with T = 0.8. The authors' students also begin with
    the teacher's head and neck; these do not.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        focal: float = 1e-3,
        attention: float = 5e-4,
        relations: float = 5e-6,
        temperature: float = 0.5,
    ) -> None:
        super().__init__([stages[-1]])
        self.tap, self.focal, self.attention, self.relations = stages[-1], focal, attention, relations
        self.temperature = temperature

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        own, channels = student[self.tap][1], teacher[self.tap][1]
        self.align = nn.Identity() if own == channels else nn.Conv2d(own, channels, 1)
        self.context_student, self.context_teacher = GlobalContext(channels), GlobalContext(channels)

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = to_common_size(student[self.tap], teacher[self.tap])
        maps = self.align(s)
        batch, _, height, width = maps.shape
        places, channels = (focus(t, self.temperature) for focus in (strong_positions, strong_channels))
        errors = places[:, None] * channels[:, :, None, None] * (maps - t).square() / (height * width)
        unlike = (places - strong_positions(maps, self.temperature)).abs().sum()
        unlike = unlike + (channels - strong_channels(maps, self.temperature)).abs().sum()
        apart = (self.context_student(maps) - self.context_teacher(t)).square().sum()
        return {
            "focal": self.focal * errors.sum() / batch,
            "attention": self.attention * unlike / batch,
            "global": self.relations * apart / batch,
        }


class GlobalContext(nn.Module):
    """A map plus what one attended average of its positions says, through a bottleneck of half the channels.

    x + conv1x1(ReLU(LN(conv1x1(Σ over positions of softmax(conv1x1(x)) · x)))), the last convolution 0 at first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(1, channels // 2)
        self.query = nn.Conv2d(channels, 1, 1, bias=False)  # the softmax does not see a bias
        last = nn.Conv2d(middle, channels, 1)
        self.transform = nn.Sequential(nn.Conv2d(channels, middle, 1), nn.LayerNorm([middle, 1, 1]), nn.ReLU(), last)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W), as it is taken."""
        shares = self.query(maps).flatten(2).softmax(2)
        context = torch.einsum("ncp,nop->nc", maps.flatten(2), shares)
        added: Tensor = self.transform(context[:, :, None, None])
        return maps + added
