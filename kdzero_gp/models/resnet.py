"""ResNets for 32x32 images, as the distillation literature uses them.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385, section 4.2, with a 1x1
convolution where a block changes the number of channels ("option B"). Widths and names as in RepDistiller
(https://github.com/HobbitLong/RepDistiller); parameter names as in torchvision, so published weights load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.models.network import network

# name -> (depth, channels of the stem and of the three stages)
RESNETS: dict[str, tuple[int, tuple[int, int, int, int]]] = {
    **{f"resnet{depth}": (depth, (16, 16, 32, 64)) for depth in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{depth}x4": (depth, (32, 64, 128, 256)) for depth in (8, 32)},
}


class BasicBlock(nn.Module):
    """conv3x3-BN-ReLU-conv3x3-BN, plus the shortcut, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        result: Tensor = self.relu(residual + shortcut)
        return result


@network(RESNETS)
class ResNet(nn.Module):
    """Stem, three stages of (depth - 2) / 6 blocks at full, half and quarter resolution, average, linear."""

    def __init__(self, depth: int, widths: tuple[int, int, int, int], *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _layer(widths[0], widths[1], blocks, stride=1)
        self.layer2 = _layer(widths[1], widths[2], blocks, stride=2)
        self.layer3 = _layer(widths[2], widths[3], blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        scores: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return scores


def _layer(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)))
