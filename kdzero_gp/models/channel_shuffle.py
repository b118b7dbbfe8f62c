"""The channel shuffle of both ShuffleNets."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelShuffle(nn.Module):
    """Interleaves the channels of G groups, so that what one group computed reaches all others in the next layer.

    Zhang et al., "ShuffleNet", https://arxiv.org/abs/1707.01083, figure 1.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, C, H, W): channel g·C/G + i becomes channel i·G + g."""
        groups: Tensor = maps.unflatten(1, (self.groups, -1))
        return groups.transpose(1, 2).flatten(1, 2)

    def extra_repr(self) -> str:
        """Tells the number of groups, for printing."""
        return f"groups={self.groups}"
