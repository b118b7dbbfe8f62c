"""Distilling one student: the loop that proxy evaluations and full trainings share."""

import time
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.knowledge import Knowledge
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import CHUNK, Task


class DivergedError(Exception):
    """The loss became NaN or infinite."""


class DeadlineError(Exception):
    """The training took longer than it was given."""


@lru_cache(maxsize=64)
def batches(images: int, recipe: Recipe, seed: int) -> tuple[Tensor, ...]:
    """The index batches of a whole training, (batch_size,) int64 each: equal for all candidates of a rung."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = recipe.steps_per_epoch(images)
    result: list[Tensor] = []
    for _ in range(recipe.epochs):
        result += torch.randperm(images, generator=generator).split(recipe.batch_size)[:per_epoch]
    return tuple(result)


def distil(
    task: Task,
    student: nn.Module,
    distiller: Distiller | None,
    recipe: Recipe,
    *,
    seed: int,
    seconds: float | None = None,
) -> int:
    """Trains a student in place on the training split: cross-entropy plus the distiller.

    Args:
        distiller: None trains the student alone. Its aligners are trained along.
        seed: of the order of the images.
        seconds: time it may take.

    Returns:
        The number of steps.

    Raises:
        DivergedError: the loss is NaN or infinite at the end of an epoch.
        DeadlineError: it took longer than `seconds`.
    """
    images, labels = task.all_images("train"), task.labels("train")
    taps = tuple(dict.fromkeys((*(distiller.taps if distiller else ()), "logits")))
    teacher = task.teacher_knowledge("train", distiller.taps) if distiller else Knowledge()
    order = batches(len(labels), recipe, seed)
    rates = recipe.learning_rates(len(order))
    per_epoch = recipe.steps_per_epoch(len(labels))
    deadline = None if seconds is None else time.perf_counter() + seconds
    student.train()
    with task.reader(student, taps) as reader:
        if distiller is not None:
            first = order[0].to(task.device)
            student.eval()  # only shapes are wanted: the running statistics of the batch norms stay as they are
            with torch.no_grad():
                distiller.prepare(reader(images[first]), _take(teacher, first))
            student.train()
        parameters = [*student.parameters(), *(distiller.parameters() if distiller else ())]
        optimiser = recipe.optimiser(parameters)
        for step, (batch, rate) in enumerate(zip(order, rates, strict=True), 1):
            batch = batch.to(task.device)
            knowledge = reader(images[batch])
            loss = recipe.ce_weight * functional.cross_entropy(knowledge["logits"], labels[batch])
            if distiller is not None:
                loss = loss + distiller(knowledge, _take(teacher, batch), labels[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, recipe.clip)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()
            if step % per_epoch == 0 and not bool(torch.isfinite(loss)):
                raise DivergedError(f"the loss is {loss.item()} after {step} of {len(order)} steps")
            if deadline is not None and time.perf_counter() > deadline:
                raise DeadlineError(f"{seconds:g} s were over after {step} of {len(order)} steps")
    return len(order)


def _take(knowledge: Knowledge, batch: Tensor) -> Knowledge:
    return knowledge.map(lambda tensor: tensor[batch])


def measure(task: Task, student: nn.Module, split: str) -> Knowledge:
    """The student's pool and logits for a whole split, in evaluation mode, without gradient."""
    student.eval()
    names = [name for name in ("pool", "logits") if name in task.student_taps]
    with torch.no_grad(), task.reader(student, names) as reader:
        chunks = [reader(chunk) for chunk in task.all_images(split).split(CHUNK)]
    return Knowledge(**{name: torch.cat([chunk[name] for chunk in chunks]) for name in names})


def accuracy(task: Task, student: nn.Module, split: str) -> float:
    """Share of a split that the student gets right, 0 … 1."""
    logits = measure(task, student, split)["logits"]
    return float((logits.argmax(1) == task.labels(split)).double().mean())
