"""The parts of a training step, each by itself: where a step's time goes, and what the program takes out of it."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.overhead_loops import Step, usual_batches
from benchmarks.overhead_pair import BATCH, RECIPE
from kdzero_gp.tasks.task import Task


def step_parts(task: Task) -> Mapping[str, Step]:
    """What to time, by name; every part takes one batch."""
    numbers = torch.arange(BATCH)
    images, labels, _ = task.feed(())(numbers, 0)
    student = task.student(0).train()
    parameters = list(student.parameters())
    optimiser = RECIPE.make_optimiser(parameters)
    pictures = usual_batches(task)
    plain, taught = task.feed(()), task.feed(tuple(task.teacher_taps))

    def forward() -> torch.Tensor:
        return F.cross_entropy(student(images), labels)

    def forward_and_backward() -> None:
        optimiser.zero_grad(set_to_none=True)
        forward().backward()

    def half_precision() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(task.device.type, torch.bfloat16):
            loss = F.cross_entropy(student(images).float(), labels)
        loss.backward()

    def update() -> None:
        nn.utils.clip_grad_norm_(parameters, RECIPE.clip)
        optimiser.step()

    def teacher() -> None:
        with torch.no_grad():
            task.teacher(images)

    forward_and_backward()
    return {
        "student forward": forward,
        "student forward and backward": forward_and_backward,
        "the same in bfloat16, not used unless asked for": half_precision,
        "clipping and update": update,
        "images, cropped, flipped and normalised": lambda: plain(numbers, 0),
        "the same, with kept teacher outputs at every tap": lambda: taught(numbers, 0),
        "teacher forward, once for each view": teacher,
        "usual loop: images by a PIL pipeline": lambda: next(pictures),
    }
