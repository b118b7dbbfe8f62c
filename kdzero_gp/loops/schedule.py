"""The schedule of a training: batches, epochs, learning rates, and the phases of its method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.phase import PUBLISHED_EPOCHS, Phase
from kdzero_gp.tasks.recipe import Recipe


@lru_cache(maxsize=64)
def batches(images: int, recipe: Recipe, seed: int) -> tuple[Tensor, ...]:
    """Draws the index batches of a whole training, (batch_size,) int64 each; equal for all candidates of a run."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = recipe.steps_per_epoch(images)
    result: list[Tensor] = []
    for _ in range(recipe.epochs):
        result += torch.randperm(images, generator=generator).split(recipe.batch_size)[:per_epoch]
    return tuple(result)


@dataclass(frozen=True)
class Segment:
    """One phase with the steps that it takes, from `first` up to `end`."""

    phase: Phase
    first: int
    end: int


@dataclass(frozen=True)
class Schedule:
    """Every step of a training.

    Attributes:
        order: index batches, (batch_size,) int64 each.
        epochs: of each step, the epoch that selects the view of its images; extra epochs count behind the schedule.
        rates: learning rates.
        segments: the phases in order.
        extra: steps before the recipe's own schedule.
    """

    order: tuple[Tensor, ...]
    epochs: tuple[int, ...]
    rates: tuple[float, ...]
    segments: tuple[Segment, ...]
    extra: int

    def segment(self, step: int) -> Segment:
        """Finds the segment of a step; the last one behind the end."""
        return next((segment for segment in self.segments if step < segment.end), self.segments[-1])


def make_schedule(images: int, recipe: Recipe, phases: Sequence[Phase], seed: int) -> Schedule:
    """Makes the schedule of a method's phases under a recipe.

    Args:
        seed: of the order of the images.

    Raises:
        ConfigError: the shares of the phases do not add up to 1, or the training is too short for so many.
    """
    per_epoch = recipe.steps_per_epoch(images)
    before = [phase for phase in phases if phase.extra_epochs]
    within = [phase for phase in phases if not phase.extra_epochs]
    if not within or abs(sum(phase.share for phase in within) - 1) > 1e-6 or list(phases) != before + within:
        raise ConfigError(
            f"the phases {', '.join(phase.name for phase in phases)} must be extra ones first, then shares that add up "
            f"to 1; they add up to {sum(phase.share for phase in within):g}"
        )
    added = [extra_epochs(recipe, phase) for phase in before]
    batch_numbers = batches(images, replace(recipe, epochs=recipe.epochs + sum(added)), seed)
    steps, extra = recipe.epochs * per_epoch, sum(added) * per_epoch
    epochs = [step // per_epoch for step in range(steps + extra)]
    segments: list[Segment] = []
    rates: list[float] = []
    end = 0
    for phase, count in zip(before, added, strict=True):
        first, end = end, end + count * per_epoch
        segments.append(Segment(phase, first, end))
        rates += [recipe.lr * phase.lr] * (end - first)
    whole = recipe.learning_rates(steps)
    for phase, share in zip(within, accumulate(phase.share for phase in within), strict=True):
        first, end = end, extra + round(share * steps)
        if end <= first:
            raise ConfigError(f"{steps} steps are too few for the {len(within)} phases of this method; train longer")
        segments.append(Segment(phase, first, end))
        own = len(within) > 1 and not any(other.continues for other in within)
        rates += [
            phase.lr * rate
            for rate in (recipe.learning_rates(end - first) if own else whole[first - extra : end - extra])
        ]
    return Schedule(
        batch_numbers[steps:] + batch_numbers[:steps],
        tuple(epochs[steps:] + epochs[:steps]),
        tuple(rates),
        tuple(segments),
        extra,
    )


def extra_epochs(recipe: Recipe, phase: Phase) -> int:
    """Scales a phase's published extra epochs to a recipe; at least one remains of any."""
    return max(1, round(recipe.epochs * phase.extra_epochs / PUBLISHED_EPOCHS)) if phase.extra_epochs else 0
