"""Learned maps on the student's side, trained with the student and thrown away with the teacher (extended set).

`hint` leads from the student's shape to the teacher's by itself. Where channels differ the aligner stands before
`project`; the two together are then one map from the student's channels to the teacher's. On the teacher's side there is none: a pair of learned maps that both give zero
would always agree.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdzero_gp.grammar import Map, Vector, transform
from primitives.guards import saturate

LARGEST = 1e8


class Hint(nn.Module):
    """Convolution, batch normalisation with a learned scale and shift, ReLU; see `hint`.

    Batch statistics always, since a distiller is only ever used in training. Elements saturate at |x| = 1e8.

    Args:
        own, other: shapes (N, C, H, W) of what comes in and of what is to come out.
    """

    def __init__(self, own: tuple[int, ...], other: tuple[int, ...]) -> None:
        super().__init__()
        (H, W), (h, w) = own[2:], other[2:]
        self.up = (h, w) == (2 * H, 2 * W)
        self.down = (2 * h, 2 * w) == (H, W)
        kernel = (1 + H - h, 1 + W - w) if h <= H and w <= W else (1, 1)
        if self.up:
            layer: nn.Module = nn.ConvTranspose2d(own[1], other[1], 4, bias=False)
        else:
            layer = nn.Conv2d(own[1], other[1], 3 if self.down else kernel, bias=False)
        self.weight = nn.Parameter(layer.weight.detach().clone())  # type: ignore[operator]
        self.gain = nn.Parameter(torch.ones(other[1]))
        self.shift = nn.Parameter(torch.zeros(other[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the shape of the other side; with its own H and W where that has no regressor."""
        x = saturate(x if x.dtype == torch.float64 else x.float(), -LARGEST, LARGEST)
        weight, gain, shift = (parameter.to(x.dtype) for parameter in (self.weight, self.gain, self.shift))
        if self.up:
            x = F.conv_transpose2d(x, weight, stride=2, padding=1)
        else:
            x = F.conv2d(x, weight, stride=2, padding=1) if self.down else F.conv2d(x, weight)
        # not F.batch_norm, which refuses a channel of a single value
        return F.relu(torch.batch_norm(x, gain, shift, None, None, True, 0.0, 1e-5, True))


class Project(nn.Module):
    """A linear map of the channels, the identity before training; see `project`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (N, D), unchanged shape."""
        x = x if x.dtype == torch.float64 else x.float()
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.linear(x, weight, bias) if x.dim() == 2 else F.conv2d(x, weight[:, :, None, None], bias)


@transform(
    Map,
    learned=True,
    bridges=True,
    student_only=True,
    extended=True,
    formula=r"\mathrm{relu}(\gamma\odot\mathrm{bn}(W*x)+\beta),\;W,\gamma,\beta\text{ learned}",
)
def hint(shape: tuple[int, ...], other: tuple[int, ...] | None = None) -> nn.Module:
    """FitNet's regressor: learned convolution, batch normalisation and ReLU, from the student's map to the teacher's shape.

    (N, C, H, W) to the teacher's (N, C', H', W'), as the authors' and RepDistiller's: a 1 × 1 convolution for one size,
    3 × 3 with stride 2 to half, a transposed 4 × 4 with stride 2 to twice the size, and (1 + H − H') × (1 + W − W') to
    any other smaller size. They have none for the rest: there the teacher's map is average-pooled to the student's. A
    bias of the convolution would be cancelled by the normalisation.
    Source: Romero et al., "FitNets: Hints for Thin Deep Nets" (ICLR 2015), the regressor as in RepDistiller.
    """
    return Hint(shape, shape if other is None else other)


@transform(Map, Vector, learned=True, student_only=True, extended=True, formula=r"Wx+b,\;W,b\text{ learned}")
def project(shape: tuple[int, ...]) -> nn.Module:
    """A learned linear map of the student's channels (1 × 1 convolution) or features, the identity at first.

    (N, C, H, W) or (N, D), unchanged shape. Source: the projections of knowledge-projection losses, such as Zhang et
    al., "Deeper Network through Knowledge Projection" (2017), kept to the student's side.
    """
    return Project(shape[1])
