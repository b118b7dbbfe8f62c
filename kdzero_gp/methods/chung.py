"""AFD: Chung et al.: Feature-map-level Online Adversarial Knowledge Distillation (ICML 2020), offline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.connect import to_common_size
from kdzero_gp.methods.loss import MethodLoss, Shapes, frozen
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.world import Now, World


@module_method(
    "chung",
    "Chung et al.: Feature-map-level Online Adversarial Knowledge Distillation (ICML 2020)",
    needs_stages=True,
    home="CIFAR-100 (its own tables)",
    exclusive=True,
)
class Chung(MethodLoss):
    """The student's last map must pass for the teacher's before a critic, beside plain distillation.

    s' = ReLU(BN(conv1x1(s))); loss = mean (1 − D(s'))² + τ² · KL of the logits, τ = 3; the critic lowers mean
    (1 − D(t))² + mean D(s')². D is two 3x3 convolutions of stride 2 with BN and LeakyReLU(0.2) in the teacher's
    channels, an average and a linear layer; Adam, learning rate 2e-5. Maps of other sizes meet at the smaller one.

    The paper trains two networks that learn from one another, and its students have an optimiser of their own for the
    adversarial term; here the trained teacher takes the other's place, and the student has one optimiser. No code was
    published; τ, the critic's layers and the optimisers are uncertain.
    """

    needs = ("critic",)

    def __init__(
        self, stages: Stages, *, weight: float = 1.0, adversarial: float = 1.0, temperature: float = 3.0
    ) -> None:
        self.tap = stages[-1]
        super().__init__([self.tap, "logits"])
        self.weight, self.adversarial, self.temperature = weight, adversarial, temperature

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        channels = teacher[self.tap][1]
        self.transfer = nn.Sequential(
            nn.Conv2d(student[self.tap][1], channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        layers: list[nn.Module] = []
        for _ in range(2):
            convolution = nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]
        self.critic = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        maps, _ = self._maps(student, teacher)
        with frozen(self._judge()):
            fooled = (1 - self._judge()(maps)).square().mean()
        ours, theirs = (F.log_softmax(side["logits"] / self.temperature, 1) for side in (student, teacher))
        divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return {
            "adversarial": self.adversarial * fooled,
            "logits": self.weight * self.temperature**2 * divergence,
        }

    def critic_loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> Tensor:
        with torch.no_grad():
            fake, real = self._maps(student, teacher)
        judged: Tensor = (1 - self._judge()(real)).square().mean() + self._judge()(fake).square().mean()
        return judged

    def critic_optimiser(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=2e-5)

    def _maps(self, student: Knowledge, teacher: Knowledge) -> tuple[Tensor, Tensor]:
        return to_common_size(self.transfer(student[self.tap]), teacher[self.tap])

    def _judge(self) -> nn.Module:
        if self.critic is None:
            raise AssertionError("build() makes the critic")
        return self.critic
