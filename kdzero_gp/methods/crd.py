"""Contrastive distillation: Tian et al.: Contrastive Representation Distillation (ICLR 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import unit
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World

MOMENTUM = 0.5
"""Share of a sample's memory that stays when it is met again."""
EPS = 1e-7


@module_method("crd", "Tian et al.: Contrastive Representation Distillation (ICLR 2020)", exclusive=True)
class Crd(MethodLoss):
    """Each side's embedding of a sample must meet the other side's memory of it among those of other classes.

    Embeddings of the pooled features, Linear(D → 128) of norm 1, both trained; memories of both for every training
    image. o = exp(memory · embedding / 0.07) / Z of the sample itself (o_0) and of K images of other classes, the
    student against the teacher's memory and the other way round. With m = K, P = 1 / samples, each side's loss is
    −[log(o_0 / (o_0 + mP + ε)) + Σ_j log(mP / (o_j + mP + ε))], its batch mean; the sum of both · 0.8. Z is the mean of
    exp at the very first step · samples. Afterwards memory ← normalised ½·memory + ½·embedding.

    Args:
        negatives: K, drawn without replacement unless there are fewer.
        width: of the embeddings.
    """

    needs = ("sample numbers",)
    memory_student: Tensor
    memory_teacher: Tensor
    constants: Tensor

    def __init__(
        self,
        stages: Stages = (),
        *,
        weight: float = 0.8,
        negatives: int = 16384,
        width: int = 128,
        temperature: float = 0.07,
    ) -> None:
        super().__init__(["pool"])
        self.weight, self.negatives, self.width, self.temperature = weight, negatives, width, temperature

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        counts = torch.bincount(world.labels.cpu(), minlength=world.classes)
        if world.samples == 0 or int(counts.max()) == world.samples:
            raise ConfigError(f"crd draws images of other classes, but the {world.samples} are of one; take another")
        self.embed_student = nn.Linear(student["pool"][1], self.width)
        self.embed_teacher = nn.Linear(teacher["pool"][1], self.width)
        bound = 1 / math.sqrt(self.width / 3)
        self.register_buffer("memory_student", (2 * torch.rand(world.samples, self.width) - 1) * bound)
        self.register_buffer("memory_teacher", (2 * torch.rand(world.samples, self.width) - 1) * bound)
        self.register_buffer("constants", torch.zeros(2))  # Z of the student's scores and of the teacher's
        self.by_class = torch.argsort(world.labels.cpu(), stable=True).to(world.device)
        self.counts, self.first = counts.tolist(), (counts.cumsum(0) - counts).tolist()

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        s, t = unit(self.embed_student(student["pool"])), unit(self.embed_teacher(teacher["pool"]))
        numbers = torch.cat([now.index[:, None], self._drawn(targets, now)], 1)
        total = self._side(s, self.memory_teacher, numbers, 0) + self._side(t, self.memory_student, numbers, 1)
        with torch.no_grad():
            for memory, embedding in ((self.memory_student, s), (self.memory_teacher, t)):
                memory[now.index] = unit(MOMENTUM * memory[now.index] + (1 - MOMENTUM) * embedding)
        return {"crd": self.weight * total}

    def _drawn(self, targets: Tensor, now: Now) -> Tensor:
        """(N, K) numbers of images of other classes than the targets'."""
        device = self.by_class.device
        generator = now.generator(device, "negatives")
        rows = []
        for label in targets.tolist():
            first, own = self.first[label], self.counts[label]
            others = len(self.by_class) - own
            if self.negatives <= others:
                places = torch.randperm(others, generator=generator, device=device)[: self.negatives]
            else:
                places = torch.randint(others, (self.negatives,), generator=generator, device=device)
            rows.append(self.by_class[torch.where(places < first, places, places + own)])
        return torch.stack(rows)

    def _side(self, anchor: Tensor, memory: Tensor, numbers: Tensor, side: int) -> Tensor:
        """Gives the loss of one side's embeddings (N, width) against the other side's memory."""
        scores = (_similarities(anchor, memory, numbers) / self.temperature).exp()
        with torch.no_grad():
            first = scores.mean() * len(memory)
            self.constants[side] = torch.where(self.constants[side] > 0, self.constants[side], first)
        chances = scores / self.constants[side].clone()
        noise = self.negatives / len(memory)
        own, others = chances[:, 0], chances[:, 1:]
        kept = (own / (own + noise + EPS)).log().sum()
        told_apart = (noise / (others + noise + EPS)).log().sum()
        return -(kept + told_apart) / len(anchor)


def _similarities(anchor: Tensor, memory: Tensor, numbers: Tensor) -> Tensor:
    """(N, 1 + K) products of each anchor with the memories of its numbers; the memory may change afterwards.

    One product with all of them costs less than (N, 1 + K, width) gathered rows, unless the memory is larger.
    """
    if len(memory) <= numbers.numel():
        return (anchor @ memory.clone().T).gather(1, numbers)
    return torch.einsum("nkd,nd->nk", memory[numbers], anchor)
