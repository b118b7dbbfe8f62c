"""ShuffleNetV2 of width 1 for 32x32 images.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
https://arxiv.org/abs/1807.11164. Layers and parameter names as in RepDistiller
(https://github.com/HobbitLong/RepDistiller, `models/ShuffleNetv2.py`), so its checkpoints load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdzero_gp.models.channel_shuffle import ChannelShuffle
from kdzero_gp.models.network import LIGHT_RECIPE, network

STEM, HEAD = 24, 1024
WIDTHS = (116, 232, 464)
DEPTHS = (4, 8, 4)


class SplitBlock(nn.Module):
    """Half of the channels pass through; the other half takes conv1x1, depthwise conv3x3, conv1x1; then the shuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1, self.bn1 = _pointwise(half, half)
        self.conv2, self.bn2 = _depthwise(half, 1)
        self.conv3, self.bn3 = _pointwise(half, half)
        self.relu = nn.ReLU(inplace=True)
        self.shuffle = ChannelShuffle(2)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, C, H, W)."""
        kept, changed = maps.chunk(2, 1)
        changed = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(changed)))))
        changed = self.relu(self.bn3(self.conv3(changed)))
        result: Tensor = self.shuffle(torch.cat((kept, changed), 1))
        return result


class DownBlock(nn.Module):
    """Two branches of stride 2 on all channels, joined and shuffled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1, self.bn1 = _depthwise(inputs, 2)
        self.conv2, self.bn2 = _pointwise(inputs, half)
        self.conv3, self.bn3 = _pointwise(inputs, half)
        self.conv4, self.bn4 = _depthwise(half, 2)
        self.conv5, self.bn5 = _pointwise(half, half)
        self.relu = nn.ReLU(inplace=True)
        self.shuffle = ChannelShuffle(2)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / 2, W / 2)."""
        left = self.relu(self.bn2(self.conv2(self.bn1(self.conv1(maps)))))
        right = self.bn4(self.conv4(self.relu(self.bn3(self.conv3(maps)))))
        right = self.relu(self.bn5(self.conv5(right)))
        result: Tensor = self.shuffle(torch.cat((left, right), 1))
        return result


@network("shufflenetv2", recipe=LIGHT_RECIPE)
class ShuffleNetV2(nn.Module):
    """Stem of 1x1 convolutions, three stages at half, quarter and eighth resolution, conv1x1, average, linear."""

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _pointwise(in_channels, STEM)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _layer(STEM, WIDTHS[0], DEPTHS[0])
        self.layer2 = _layer(WIDTHS[0], WIDTHS[1], DEPTHS[1])
        self.layer3 = _layer(WIDTHS[1], WIDTHS[2], DEPTHS[2])
        self.conv2, self.bn2 = _pointwise(WIDTHS[2], HEAD)
        self.linear = nn.Linear(HEAD, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        maps = self.relu(self.bn2(self.conv2(maps)))
        scores: Tensor = self.linear(maps.mean((2, 3)))
        return scores


def _layer(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(DownBlock(inputs, outputs), *(SplitBlock(outputs) for _ in range(blocks - 1)))


def _pointwise(inputs: int, outputs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)


def _depthwise(channels: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return convolution, nn.BatchNorm2d(channels)
