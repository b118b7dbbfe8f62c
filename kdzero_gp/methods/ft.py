"""Factor transfer: Kim, Park, Kwak: Paraphrasing Complex Network (NeurIPS 2018)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size, unit
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.phase import MAIN, Phase
from kdzero_gp.methods.world import Now, World

PARAPHRASING = "paraphrasing"
SLOPE = 0.1
"""Of every leaky ReLU below 0."""


@module_method(
    "ft",
    "Kim, Park, Kwak: Paraphrasing Complex Network: Network Compression via Factor Transfer (NeurIPS 2018)",
    needs_stages=True,
    home="CIFAR-100 (CRD)",
)
class FactorTransfer(MethodLoss):
    """The student's factor of its last map must be the code that an auto-encoder found for the teacher's.

    For 30 epochs before the schedule the paraphraser learns by mean squared error to reconstruct the teacher's map, its
    rate 0.2 of the recipe's (0.01 of 0.05, published for ResNets). Then it is frozen and encodes: factors F_t of half
    the teacher's channels; F_s is the translator's, three convolutions of the student's map. Maps meet after that.

    `form="table"` is RepDistiller's, by which its tables were made: q = mean over channels of F², divided by its norm;
    loss = 200 · mean |q_s − q_t|; its translator has batch normalisation. `form="paper"` is the paper's and the
    authors': the whole factor divided by its norm, no batch normalisation; take weight=500 with it.
    """

    def __init__(self, stages: Stages, *, weight: float = 200.0, form: Literal["table", "paper"] = "table") -> None:
        super().__init__([stages[-1]])
        self.tap, self.weight, self.form = stages[-1], weight, form
        self.phases = (
            Phase(PARAPHRASING, extra_epochs=30, trains=("paraphraser",), ce_weight=0.0, lr=0.2, student="idle"),
            Phase(MAIN, trains=("student", "translator")),
        )

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        channels = teacher[self.tap][1]
        self.paraphraser = Paraphraser(channels, max(1, channels // 2))
        self.translator = encoder(student[self.tap][1], max(1, channels // 2), normalised=self.form == "table")

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        maps = teacher[self.tap]
        if now.phase == PARAPHRASING:
            return {"paraphrase": F.mse_loss(self.paraphraser(maps), maps)}
        with torch.no_grad():
            wanted = self.paraphraser.encode(maps)
        ours, theirs = to_common_size(self.translator(student[self.tap]), wanted)
        return {"factors": self.weight * (self._factor(ours) - self._factor(theirs)).abs().mean()}

    def _factor(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) as vectors of norm 1."""
        return unit((maps.square().mean(1) if self.form == "table" else maps).flatten(1))


class Paraphraser(nn.Module):
    """An auto-encoder of maps: three 3x3 convolutions to `middle` channels and three transposed ones back."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.encode = encoder(channels, middle)
        layers: list[nn.Module] = []
        for inputs, outputs in ((middle, middle), (middle, channels), (channels, channels)):
            layers += [nn.ConvTranspose2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)]
        self.decode = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Gives the reconstruction of maps (N, C, H, W)."""
        reconstructed: Tensor = self.decode(self.encode(maps))
        return reconstructed


def encoder(channels: int, middle: int, *, normalised: bool = False) -> nn.Sequential:
    """Three 3x3 convolutions C → C → `middle` → `middle`, each with a leaky ReLU, after BN where that is wanted."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((channels, channels), (channels, middle), (middle, middle)):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        layers += [nn.BatchNorm2d(outputs)] if normalised else []
        layers.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*layers)
