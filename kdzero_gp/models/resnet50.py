"""ResNet-50 for 32x32 images: ImageNet's four stages behind a 3x3 stem without pooling.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385. Parameter names as in
RepDistiller (https://github.com/HobbitLong/RepDistiller, `models/resnetv2.py`), so its checkpoints load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.models.initialise import initialise
from kdzero_gp.models.network import network

WIDTHS = (64, 128, 256, 512)
DEPTHS = (3, 4, 6, 3)
EXPANSION = 4


class Bottleneck(nn.Module):
    """conv1x1, conv3x3, conv1x1 to four times the channels, each with BN, plus the shortcut, ReLU."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, 4 · width, H / stride, W / stride)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        result: Tensor = self.relu(self.bn3(self.conv3(residual)) + self.shortcut(maps))
        return result


@network("resnet50")
class ResNet50(nn.Module):
    """Stem, four stages of bottlenecks at full to eighth resolution, average, linear."""

    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = (WIDTHS[0], *(EXPANSION * width for width in WIDTHS))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(inputs[number], WIDTHS[number], DEPTHS[number], stride=2 if number else 1) for number in range(4)
        )
        self.linear = nn.Linear(inputs[-1], num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        scores: Tensor = self.linear(maps.mean((2, 3)))
        return scores


def _layer(inputs: int, width: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)))
