"""VGG networks with batch normalisation for 32x32 images and one linear layer.

Simonyan, Zisserman, "Very Deep Convolutional Networks", https://arxiv.org/abs/1409.1556. Layers, `vgg8` and parameter
names as in RepDistiller (https://github.com/HobbitLong/RepDistiller, `models/vgg.py`, the `_bn` variants), so its
checkpoints load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdzero_gp.models.initialise import initialise
from kdzero_gp.models.network import network

WIDTHS = (64, 128, 256, 512, 512)
# name -> convolutions in each of the five blocks
VGGS: dict[str, tuple[int, int, int, int, int]] = {
    "vgg8": (1, 1, 1, 1, 1),
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
LARGE = 64
"""Image height from which the fourth block's maps are pooled, too; published for 64x64, and sensible above."""


@network({name: (depths,) for name, depths in VGGS.items()})
class Vgg(nn.Module):
    """Five blocks of conv3x3-BN-ReLU with 2x2 max-pooling after the first three, average, linear."""

    def __init__(self, depths: tuple[int, int, int, int, int], *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        inputs = (in_channels, *WIDTHS)
        self.block0, self.block1, self.block2, self.block3, self.block4 = (
            _block(inputs[number], WIDTHS[number], depth) for number, depth in enumerate(depths)
        )
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(WIDTHS[-1], num_classes)
        initialise(self, linear_std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) with H, W ≥ 8 to class scores (N, K)."""
        maps = self.relu(self.block0(images))
        maps = self.relu(self.block1(self.pool(maps)))
        maps = self.relu(self.block2(self.pool(maps)))
        maps = self.relu(self.block3(self.pool(maps)))
        if images.shape[2] >= LARGE:
            maps = self.pool(maps)
        maps = self.relu(self.block4(maps))
        scores: Tensor = self.classifier(maps.mean((2, 3)))
        return scores


def _block(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(depth):
        convolution = nn.Conv2d(outputs if number else inputs, outputs, 3, padding=1)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])  # the last ReLU is the network's own
