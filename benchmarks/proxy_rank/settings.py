"""The cheap trainings whose ranking is examined, and how one is carried out."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from torch import nn

from kdzero_gp.data import Split
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.loops.single import DivergedError, Training
from kdzero_gp.tasks.classification.measures import fitness_parts
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

Parts = Mapping[str, float]
Schedule = Literal["annealed", "prefix", "restarts"]
SHARE = 0.15
"""Of the full schedule's steps: what a proxy may take at most."""


@dataclass(frozen=True)
class Proxy:
    """A cheap training.

    Attributes:
        name: for people.
        ends: steps after which the student is measured; more than one are the rungs of a race.
        schedule: `annealed` over its own length; `prefix` of the full schedule, which is cut off at a high learning
            rate; `restarts`, annealed anew for every rung.
        images: training images used, from the first on; None for all.
        warm: steps that the student was trained alone before, annealed, the same for all candidates.
    """

    name: str
    ends: tuple[int, ...]
    schedule: Schedule = "annealed"
    images: int | None = None
    warm: int = 0

    @property
    def steps(self) -> int:
        """Steps of one candidate; a warm start is shared by all of them and not counted."""
        return self.ends[-1]

    def recipe(self, full: Recipe, images: int) -> Recipe:
        """The full recipe, cut or shortened."""
        epochs = -(-self.steps // full.steps_per_epoch(images))
        if self.schedule == "prefix":
            return full
        return replace(full, epochs=epochs, restarts=(*self.ends[:-1], self.steps))


def proxies(full: int, default: Sequence[int], quick: bool) -> list[Proxy]:
    """The settings that are compared.

    Args:
        full: steps of the full schedule.
        default: the ends of the default's rungs.
    """
    if quick:
        return [Proxy("default", tuple(default), "restarts"), Proxy("warm", (3,), warm=3, images=256)]
    short = round(SHARE * full)
    return [
        Proxy("default", tuple(default), "restarts"),
        *(Proxy("annealed", (steps,)) for steps in (full // 16, short, full // 4)),
        Proxy("annealed, half of the images", (short,), images=500),
        Proxy("annealed, warm start", (short,), warm=full // 4),
        Proxy("prefix of the full schedule", (short, full // 4, full // 2), "prefix"),
        Proxy("race over the full length", Ladder.of(full, 3, 3).ends, "restarts"),
        Proxy("the full schedule itself", (full,)),
    ]


def shortened(task: Task, images: int | None) -> Task:
    """The task with fewer training images."""
    if images is None:
        return task
    return _shortened(task, images)


@lru_cache(maxsize=4)
def _shortened(task: Task, images: int) -> Task:
    train = Split(task.data.train.images[:images], task.data.train.labels[:images])
    data = replace(task.data, train=train)
    return Task(task.name, task.teacher, task._build_student, data, recipe=task.recipe, proxy=task.proxy)


def outcomes(
    task: Task, proxy: Proxy, tree: str | None, calibration: tuple[float, ...], seed: int
) -> list[Parts | None]:
    """The parts on the validation split at every end of one training; None from where it diverged."""
    task = shortened(task, proxy.images)
    recipe = proxy.recipe(task.recipe, len(task.data.train))
    distiller = None if tree is None else Distiller(tree, calibration=calibration, seed=seed)
    if proxy.warm:
        student = copy.deepcopy(_warm(task, proxy.warm, seed))
        training = Training.of(task, student, distiller, recipe, order_seed=seed)
    else:
        training = Training(task, distiller, recipe, student_seed=seed, order_seed=seed)
    found: list[Parts | None] = []
    for end in proxy.ends:
        try:
            training.advance(end)
            found.append(fitness_parts(task, training.student))
        except DivergedError:
            return [*found, *[None] * (len(proxy.ends) - len(found))]
    return found


@lru_cache(maxsize=16)
def _warm(task: Task, steps: int, seed: int) -> nn.Module:
    """The student after a training alone, on batches that no candidate sees in this order."""
    recipe = Proxy("warm", (steps,)).recipe(task.recipe, len(task.data.train))
    training = Training(task, None, recipe, student_seed=seed, order_seed=seed + 1)
    training.advance(steps)
    return training.student
