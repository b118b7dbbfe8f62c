"""What is found out about a method on a few images, before anything is trained."""

import math
from dataclasses import replace

import torch

from kdzero_gp.compare.entries import Entry
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError, KdzeroError
from kdzero_gp.evaluate.screen import PROBE
from kdzero_gp.methods.loss import as_method
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.world import World
from kdzero_gp.randomness import derive_seed
from kdzero_gp.tasks.task import Task

SHOWN = 8
"""How many images show the shapes of both sides."""


def calibrated(entry: Entry, task: Task, run_seed: int) -> Entry:
    """Scales the terms of a text form as a search does: on its probe, at its student's initialisation.

    Anything but a text form is returned as it is.

    Raises:
        KdzeroError: a term has no gradient there.
    """
    if entry.kind != "text" or entry.named.tree is None:
        return entry
    distiller = Distiller(entry.named.tree, seed=derive_seed(run_seed, "distiller"))
    student = task.student(derive_seed(run_seed, "student")).train()
    images = task.first_images("train", PROBE)
    targets, teacher = task.targets("train")[: len(images)], task.teacher_probe(task.teacher_taps, PROBE)
    with task.reader(student, task.student_taps) as reader:
        known = reader(images)
        loss = task.kind.loss(known, targets)
        factors = distiller.calibrate(known, teacher, targets, student.parameters(), task_loss=loss)
    return replace(entry, named=replace(entry.named, calibration=factors), source="calibrated")


def learned_parameters(entry: Entry, task: Task) -> int:
    """Counts the parameters that a method trains beside the student's and throws away.

    Raises:
        ConfigError: the method does not fit the pair; names it.
    """
    if entry.named.alone:
        return 0
    loss = as_method(make_loss(entry.named.tree, entry.named.module, task.student_taps.stages))
    if loss is None:
        raise AssertionError(f"{entry.label} is not the student alone")
    student = task.student(0).eval()
    try:
        if "route" in loss.needs:
            task.require_route()
        with torch.no_grad(), task.reader(student, loss.student_taps or task.kind.loss_taps) as reader:
            known = reader(task.first_images("train", SHOWN))
        loss.prepare(known, task.teacher_probe(loss.teacher_taps, SHOWN), World.of(task, student, task.recipe))
        trained = {*loss.wrap(student).parameters(), *loss.parameters()} - set(student.parameters())
    except KdzeroError as error:
        raise ConfigError(f"the method {entry.label} does not fit this pair: {error}") from error
    return sum(math.prod(parameter.shape) for parameter in trained)
