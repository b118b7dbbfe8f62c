"""`cnnW`: three convolutions for small images; `cnn32` teaches and `cnn2` learns on the embedded digits."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.models.network import network, network_family


@network_family(
    "cnnW for any width W from 1 to 9999 (such as cnn12)", "cnn([1-9][0-9]{0,3})", lambda match: (int(match[1]),)
)
@network({f"cnn{width}": (width,) for width in (2, 4, 8, 16, 32)})
class Cnn(nn.Module):
    """Three conv3x3-BN-ReLU stages of W, 2W and 4W channels, 2x2 max-pooling between, global average, linear.

    Args:
        width: W.
        num_classes: K.
        in_channels: C of the images.
    """

    def __init__(self, width: int, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stage1 = _stage(in_channels, width)
        self.stage2 = _stage(width, 2 * width)
        self.stage3 = _stage(2 * width, 4 * width)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, C, H, W) with H, W ≥ 4 to class scores (N, K)."""
        maps = self.stage1(images)
        maps = self.stage2(F.max_pool2d(maps, 2))
        maps = self.stage3(F.max_pool2d(maps, 2))
        scores: Tensor = self.fc(maps.mean((2, 3)))
        return scores


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
