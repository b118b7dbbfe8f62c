"""MobileNetV2 of half width for 32x32 images.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", https://arxiv.org/abs/1801.04381. Strides and
parameter names as in RepDistiller (https://github.com/HobbitLong/RepDistiller, `models/mobilenetv2.py`,
`mobile_half`), so its checkpoints load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.models.initialise import initialise
from kdzero_gp.models.network import LIGHT_RECIPE, network

WIDTH = 0.5
STEM, HEAD = 32, 1280
# expansion, channels at full width, blocks, stride of the first
STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """conv1x1-BN-ReLU to more channels, depthwise conv3x3-BN-ReLU, conv1x1-BN; plus the input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            *(nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)),
            *(nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.conv(maps)
        return maps + result if self.residual else result


@network("mobilenetv2", recipe=LIGHT_RECIPE)
class MobileNetV2(nn.Module):
    """Stem of stride 2, seven stages of inverted residuals, conv1x1 to 1280 channels, average, linear."""

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        channels = int(STEM * WIDTH)
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, 2, padding=1, bias=False),
            *(nn.BatchNorm2d(channels), nn.ReLU(inplace=True)),
        )
        self.blocks = nn.ModuleList()
        for expansion, width, count, stride in STAGES:
            outputs = int(width * WIDTH)
            first = InvertedResidual(channels, outputs, stride, expansion)
            others = (InvertedResidual(outputs, outputs, 1, expansion) for _ in range(count - 1))
            self.blocks.append(nn.Sequential(first, *others))
            channels = outputs
        self.conv2 = nn.Sequential(
            nn.Conv2d(channels, HEAD, 1, bias=False), nn.BatchNorm2d(HEAD), nn.ReLU(inplace=True)
        )
        self.classifier = nn.Sequential(nn.Linear(HEAD, num_classes))
        initialise(self, linear_std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.conv1(images)
        for stage in self.blocks:
            maps = stage(maps)
        scores: Tensor = self.classifier(self.conv2(maps).mean((2, 3)))
        return scores
