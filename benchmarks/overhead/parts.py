"""The parts of a training step, each by itself: where a step's time goes, and what the program takes out of it."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from benchmarks.overhead.loops import Step, usual_batches
from benchmarks.overhead.pair import BATCH, RECIPE
from kdzero_gp.tasks.task import Task


def step_parts(task: Task, *, compiled: bool = False) -> Mapping[str, Step]:
    """What to time, by name; every part takes one batch.

    Args:
        compiled: the student by `torch.compile` as well, which needs a C++ compiler on a CPU and takes about a minute.
    """
    numbers = torch.arange(BATCH)
    images, labels, _ = task.feed(())(numbers, 0)
    student = task.student(0).train()
    parameters = list(student.parameters())
    optimiser = RECIPE.make_optimiser(parameters)
    pictures = usual_batches(task)
    plain, taught = task.feed(()), task.feed(tuple(task.teacher_taps))

    def forward() -> torch.Tensor:
        return functional.cross_entropy(student(images), labels)

    def forward_and_backward() -> None:
        optimiser.zero_grad(set_to_none=True)
        forward().backward()

    def half_precision() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(task.device.type, torch.bfloat16):
            loss = functional.cross_entropy(student(images).float(), labels)
        loss.backward()

    def update() -> None:
        nn.utils.clip_grad_norm_(parameters, RECIPE.clip)
        optimiser.step()

    def teacher() -> None:
        with torch.no_grad():
            task.teacher(images)

    forward_and_backward()
    further: dict[str, Step] = {}
    if compiled:
        fast = torch.compile(student)

        def by_compiler() -> None:
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(fast(images), labels).backward()

        further["the same by torch.compile, not used"] = by_compiler
    return {
        "student forward": forward,
        "student forward and backward": forward_and_backward,
        "the same in bfloat16, not used unless asked for": half_precision,
        **further,
        "clipping and update": update,
        "images, cropped, flipped and normalised": lambda: plain(numbers, 0),
        "the same, with kept teacher outputs at every tap": lambda: taught(numbers, 0),
        "teacher forward, once for each view": teacher,
        "usual loop: images by a PIL pipeline": lambda: next(pictures),
    }
