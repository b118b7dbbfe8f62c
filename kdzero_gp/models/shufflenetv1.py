"""ShuffleNet (version 1) with three groups for 32x32 images.

Zhang et al., "ShuffleNet", https://arxiv.org/abs/1707.01083. Layers and parameter names as in RepDistiller
(https://github.com/HobbitLong/RepDistiller, `models/ShuffleNetv1.py`), so its checkpoints load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.models.channel_shuffle import ChannelShuffle
from kdzero_gp.models.network import LIGHT_RECIPE, network

GROUPS = 3
STEM = 24
WIDTHS = (240, 480, 960)
DEPTHS = (4, 8, 4)


class Bottleneck(nn.Module):
    """Grouped conv1x1, shuffle, depthwise conv3x3, grouped conv1x1; the shortcut is added, or joined at stride 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        own = outputs - inputs if stride == 2 else outputs  # channels beside those of the joined shortcut
        middle = own // 4
        groups = 1 if inputs == STEM else GROUPS
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, middle, 1, groups=groups, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.shuffle1 = ChannelShuffle(groups)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, padding=1, groups=middle, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, own, 1, groups=GROUPS, bias=False)
        self.bn3 = nn.BatchNorm2d(own)
        self.shortcut = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        residual = self.shuffle1(self.relu(self.bn1(self.conv1(maps))))
        residual = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(residual)))))
        shortcut = self.shortcut(maps)
        result: Tensor = self.relu(torch.cat((residual, shortcut), 1) if self.stride == 2 else residual + shortcut)
        return result


@network("shufflenetv1", recipe=LIGHT_RECIPE)
class ShuffleNetV1(nn.Module):
    """Stem of 1x1 convolutions, three stages at half, quarter and eighth resolution, average, linear."""

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, STEM, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _layer(STEM, WIDTHS[0], DEPTHS[0])
        self.layer2 = _layer(WIDTHS[0], WIDTHS[1], DEPTHS[1])
        self.layer3 = _layer(WIDTHS[1], WIDTHS[2], DEPTHS[2])
        self.linear = nn.Linear(WIDTHS[2], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        scores: Tensor = self.linear(maps.mean((2, 3)))
        return scores


def _layer(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    first = Bottleneck(inputs, outputs, 2)
    return nn.Sequential(first, *(Bottleneck(outputs, outputs, 1) for _ in range(blocks - 1)))
