"""KSANC: Shu et al.: Knowledge Squeezed Adversarial Network Compression (AAAI 2020)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes, frozen
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "ksanc",
    "Shu et al.: Knowledge Squeezed Adversarial Network Compression (AAAI 2020)",
    needs_stages=True,
    home="CIFAR-100 (its own table)",
)
class Ksanc(MethodLoss):
    """Squeezed vectors of the stages and logits by squared error, and a critic that tells whose logits they are.

    λ_A · Σ over stages of mean (Linear(v_s) − v_t)² + λ_L · mean (z_s − z_t)² + 0.1 · BCE(critic(z_s), teacher), where
    v is the average of a map over its positions, or one weighted by task-driven attention. The critic, an MLP
    K–128–256–128–1 with Adam at 1e-3, learns by BCE that the teacher's logits are real and the student's are not; a
    third set regularises it, the student's logits under the teacher's label. No code was published: λ_A = λ_L = 1, the
    weights 0.1 and the critic's optimiser are uncertain.

    Args:
        third: weight of the third set.
        attention: weigh positions by the softmax of ⟨map in the pooled features' space, pooled features⟩.
    """

    needs = ("critic",)

    def __init__(
        self,
        stages: Stages,
        *,
        squeezed: float = 1.0,
        logits: float = 1.0,
        adversarial: float = 0.1,
        third: float = 0.1,
        attention: bool = False,
    ) -> None:
        super().__init__([*stages, "logits", *(["pool"] if attention else [])])
        self.stages = tuple(stages)
        self.squeezed, self.logits, self.adversarial, self.third = squeezed, logits, adversarial, third
        self.attention = attention

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        self.linears = nn.ModuleDict({name: nn.Linear(student[name][1], teacher[name][1]) for name in self.stages})
        if self.attention:
            self.queries = nn.ModuleDict()
            for side, shapes in (("student", student), ("teacher", teacher)):
                for name in self.stages:
                    query = nn.Conv2d(shapes[name][1], shapes["pool"][1], 1, bias=False)
                    self.queries[f"{side} {name}"] = query
        widths = (student["logits"][1], 128, 256, 128)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.critic = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        gaps = [
            F.mse_loss(
                self.linears[name](self._vector("student", name, student)), self._vector("teacher", name, teacher)
            )
            for name in self.stages
        ]
        with frozen(self._judge()):
            fooled = _said(self._judge()(student["logits"]), 1.0)
        return {
            "squeezed": self.squeezed * torch.stack(gaps).sum(),
            "logits": self.logits * F.mse_loss(student["logits"], teacher["logits"]),
            "adversarial": self.adversarial * fooled,
        }

    def critic_loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> Tensor:
        judged = self._judge()(student["logits"])
        real = _said(self._judge()(teacher["logits"]), 1.0)
        return real + _said(judged, 0.0) + self.third * _said(judged, 1.0)

    def _judge(self) -> nn.Module:
        if self.critic is None:
            raise AssertionError("build() makes the critic")
        return self.critic

    def _vector(self, side: str, name: str, knowledge: Knowledge) -> Tensor:
        """Gives a stage squeezed to (N, C)."""
        maps = knowledge[name].flatten(2)
        if not self.attention:
            return maps.mean(2)
        keys = self.queries[f"{side} {name}"](knowledge[name]).flatten(2)
        shares = torch.einsum("ndp,nd->np", keys, knowledge["pool"]).softmax(1)
        return torch.einsum("ncp,np->nc", maps, shares)


def _said(judged: Tensor, label: float) -> Tensor:
    """Binary cross-entropy of a critic's scores (N, 1) with one label for all."""
    return F.binary_cross_entropy_with_logits(judged, torch.full_like(judged, label))
