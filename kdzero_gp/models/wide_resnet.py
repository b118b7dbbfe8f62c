"""Wide residual networks for 32x32 images: `wrn_D_W` has depth D and width W.

Zagoruyko, Komodakis, "Wide Residual Networks", https://arxiv.org/abs/1605.07146. Parameter names as in RepDistiller
(https://github.com/HobbitLong/RepDistiller, `models/wrn.py`), so its checkpoints load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.models.initialise import initialise
from kdzero_gp.models.network import network

# name -> (depth, width)
WIDE_RESNETS: dict[str, tuple[int, int]] = {
    f"wrn_{depth}_{width}": (depth, width) for depth in (16, 40) for width in (1, 2)
}


class PreActBlock(nn.Module):
    """BN-ReLU-conv3x3-BN-ReLU-conv3x3 plus the shortcut, a 1x1 convolution where the channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.convShortcut: nn.Module | None = None
        if inputs != outputs:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        active = self.relu1(self.bn1(maps))
        shortcut: Tensor = maps if self.convShortcut is None else self.convShortcut(active)
        residual: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        return shortcut + residual


class Group(nn.Module):
    """The blocks of one resolution."""

    def __init__(self, inputs: int, outputs: int, blocks: int, stride: int) -> None:
        super().__init__()
        first = PreActBlock(inputs, outputs, stride)
        self.layer = nn.Sequential(first, *(PreActBlock(outputs, outputs, 1) for _ in range(blocks - 1)))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.layer(maps)
        return result


@network(WIDE_RESNETS)
class WideResNet(nn.Module):
    """Stem, three groups of (depth - 4) / 6 blocks at full, half and quarter resolution, BN-ReLU, average, linear."""

    def __init__(self, depth: int, width: int, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.block1 = Group(16, 16 * width, blocks, 1)
        self.block2 = Group(16 * width, 32 * width, blocks, 2)
        self.block3 = Group(32 * width, 64 * width, blocks, 2)
        self.bn1 = nn.BatchNorm2d(64 * width)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(64 * width, num_classes)
        initialise(self)
        nn.init.zeros_(self.fc.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) to class scores (N, K)."""
        maps = self.block3(self.block2(self.block1(self.conv1(images))))
        scores: Tensor = self.fc(self.relu(self.bn1(maps)).mean((2, 3)))
        return scores
