"""The initial weights of the convolutional networks."""

from __future__ import annotations

from torch import nn


def initialise(model: nn.Module, *, linear_std: float | None = None) -> None:
    """He's normal initialisation of all convolutions, by fan-out; their biases become zero.

    He et al., "Delving Deep into Rectifiers", https://arxiv.org/abs/1502.01852.

    Args:
        linear_std: standard deviation of the linear layers' weights, their biases then being zero; None leaves
            them as torch makes them.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            # By kernel and output channels alone, whatever the groups: as in the published code of these networks.
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear) and linear_std is not None:
            nn.init.normal_(module.weight, std=linear_std)
            nn.init.zeros_(module.bias)
