"""Learned maps on the student's side, trained with the student and thrown away with the teacher (extended set).

Where the channels of the two sides differ, the aligner stands before them; the two together are then one map from the
student's channels to the teacher's. On the teacher's side there is none: a pair of learned maps that both give zero
would always agree.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdzero_gp.grammar import Map, Vector, transform
from primitives.guards import saturate

LARGEST = 1e8


class Hint(nn.Module):
    """1 × 1 convolution, batch normalisation with a learned scale and shift, ReLU; see `hint`.

    Batch statistics always, since a distiller is only ever used in training. Elements saturate at |x| = 1e8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        initial = nn.Conv2d(channels, channels, 1, bias=False).weight.detach()
        self.weight = nn.Parameter(initial.clone())
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), unchanged shape."""
        x = saturate(x if x.dtype == torch.float64 else x.float(), -LARGEST, LARGEST)
        weight, gain, shift = (parameter.to(x.dtype) for parameter in (self.weight, self.gain, self.shift))
        # not F.batch_norm, which refuses a channel of a single value
        return F.relu(torch.batch_norm(F.conv2d(x, weight), gain, shift, None, None, True, 0.0, 1e-5, True))


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
    student_only=True,
    extended=True,
    formula=r"\mathrm{relu}(\gamma\odot\mathrm{bn}(Wx)+\beta),\;W,\gamma,\beta\text{ learned}",
)
def hint(shape: tuple[int, ...]) -> nn.Module:
    """FitNet's regressor: learned 1 × 1 convolution, batch normalisation and ReLU on the student's side.

    (N, C, H, W), unchanged shape. A bias of the convolution would be cancelled by the normalisation.
    Source: Romero et al., "FitNets: Hints for Thin Deep Nets" (ICLR 2015), the regressor as in RepDistiller.
    """
    return Hint(shape[1])


@transform(Map, Vector, learned=True, student_only=True, extended=True, formula=r"Wx+b,\;W,b\text{ learned}")
def project(shape: tuple[int, ...]) -> nn.Module:
    """A learned linear map of the student's channels (1 × 1 convolution) or features, the identity at first.

    (N, C, H, W) or (N, D), unchanged shape. Source: the projections of knowledge-projection losses, such as Zhang et
    al., "Deeper Network through Knowledge Projection" (2017), kept to the student's side.
    """
    return Project(shape[1])
