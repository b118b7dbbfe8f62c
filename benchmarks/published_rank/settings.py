"""What the published order is, and by which cheap trainings it is to be predicted."""

import math
from dataclasses import dataclass

from kdzero_gp.tasks.recipe import Recipe

PUBLISHED = {
    "none": 69.06,
    "fitnet": 69.21,
    "nst": 69.60,
    "rkd": 69.61,
    "sp": 69.67,
    "pkt": 70.34,
    "at": 70.55,
    "kd": 70.66,
    "lskd": 71.43,
    "dist": 71.75,
    "dkd": 71.97,
}
"""CIFAR-100 test accuracy in percent of ResNet-20 taught by ResNet-56, by method.

Tian et al., "Contrastive Representation Distillation" (ICLR 2020), last epoch, and for lskd, dist and dkd their papers.
"""
ALONE = "none"
FULL_EPOCHS = 240
FULL_STEPS = FULL_EPOCHS * (50_000 // 64)
"""Student steps of the published schedule."""


@dataclass(frozen=True)
class Proxy:
    """A cheap training.

    Attributes:
        name: what `--settings` calls it.
        images: training images.
        schedule: epochs over them until the learning rate would be zero.
        stops: the epochs after which the student is measured, ascending; stopping before the end is a racing rung's
            way: a prefix of a longer schedule.
        warm: epochs on all training images that the student was trained alone before, at the full learning rate.
            They are shared by all candidates.
        views: of random crop and mirroring; 1 is without augmentation.
    """

    name: str
    images: int
    schedule: int
    stops: tuple[int, ...]
    warm: int = 0
    views: int = 1
    batch_size: int = 64
    lr: float = 0.05

    def __post_init__(self) -> None:
        if not self.stops or list(self.stops) != sorted(set(self.stops)) or self.stops[0] < 1:
            raise ValueError(f"stops is {self.stops}, but must be ascending epochs from 1 on")
        if self.stops[-1] > self.schedule:
            raise ValueError(f"the last of stops is {self.stops[-1]}, but the schedule has {self.schedule} epochs")

    def recipe(self, ce_weight: float = 1.0) -> Recipe:
        """The published optimiser over this proxy's schedule, annealed by a cosine. No clipping, as published."""
        return _recipe(self.schedule, self.batch_size, self.lr, ce_weight)

    @property
    def warm_recipe(self) -> Recipe:
        """Of the student alone before: the beginning of a schedule so long that its learning rate hardly falls."""
        return _recipe(FULL_EPOCHS, self.batch_size, self.lr, 1.0)

    def steps(self, stop: int) -> int:
        """Student steps of one candidate up to a stop, without the shared start."""
        return stop * self.recipe().steps_per_epoch(self.images)

    @property
    def start(self) -> str:
        """For the table."""
        return f"warm, {self.warm} epochs alone" if self.warm else "cold"


def _recipe(epochs: int, batch_size: int, lr: float, ce_weight: float) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        momentum=0.9,
        nesterov=False,
        weight_decay=5e-4,
        warmup=0,
        ce_weight=ce_weight,
        clip=math.inf,
    )


PROXIES = (
    Proxy("cold-5k-6", 5_000, 6, (2, 6)),
    Proxy("prefix-5k-6", 5_000, 60, (2, 6)),
    Proxy("cold-5k-24", 5_000, 24, (8, 24)),
    Proxy("cold-5k-24-aug", 5_000, 24, (8, 24), views=6),
    Proxy("cold-5k-60-aug", 5_000, 60, (20, 60), views=60),
    Proxy("cold-20k-12-aug", 20_000, 12, (4, 12), views=12),
    Proxy("cold-45k-6-aug", 45_000, 6, (2, 6), views=6),
    Proxy("cold-45k-12-aug", 45_000, 12, (4, 12), views=12),
    Proxy("cold-45k-24-aug", 45_000, 24, (3, 8, 24), views=24),
    Proxy("cold-45k-36-aug", 45_000, 36, (12, 36), views=36),
    Proxy("prefix-45k-24-aug", 45_000, 240, (3, 8, 24), views=24),
    Proxy("cold-45k-24-b256-aug", 45_000, 24, (8, 24), views=24, batch_size=256, lr=0.2),
    Proxy("warm6-5k-6", 5_000, 6, (6,), warm=6),
    Proxy("warm6-45k-2", 45_000, 2, (2,), warm=6),
    Proxy("warm24-45k-6-aug", 45_000, 6, (2, 6), warm=24, views=6),
    Proxy("warm24-45k-12-aug", 45_000, 12, (4, 12), warm=24, views=12),
)
"""Cheapest first within each kind; those that were not run stand in the table as not measured."""
