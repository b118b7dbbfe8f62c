"""A family of networks, for kdzero_gp/models/: depthwise separable convolutions in two stages."""

from torch import Tensor, nn

from kdzero_gp.models.network import network


def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A convolution of each channel by itself, then one of 1 × 1 over the channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


@network({"separable8": (8,), "separable16": (16,)}, recipe="repdistiller-light")
class Separable(nn.Module):
    """Two stages of `width` and twice as many channels, average, linear.

    Args:
        width: channels of the first stage.
    """

    def __init__(self, width: int, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stage1 = separable(in_channels, width, stride=1)
        self.stage2 = separable(width, 2 * width, stride=2)
        self.fc = nn.Linear(2 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (N, K) of images (N, C, H, W)."""
        scores: Tensor = self.fc(self.stage2(self.stage1(images)).mean((2, 3)))
        return scores
