"""The ways to train that are measured, and the measurement of one in this process."""

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.harness.result import Row
from benchmarks.overhead.pair import CLASSES, CROP_AND_FLIP, make_images
from kdzero_gp.models import build

FEATURES = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(scale_r2(catt(stage2)))))))"
WAYS = {
    "bare PyTorch": None,
    "train, none": "none",
    "train, kd": "kd",
    "train, logits and features": FEATURES,
    "train, kd, augmented, teacher in every step": "kd",
}
"""What is measured, by name, and its distiller."""
ONLINE = "train, kd, augmented, teacher in every step"
BARE = "bare PyTorch"
BATCH, LR, MOMENTUM, DECAY = 64, 0.05, 0.9, 5e-4
MIB = 2**20


class Clock:
    """Wall and processor seconds of each epoch: of all the process' threads."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []
        self._begin()

    def epoch(self) -> None:
        """An epoch is over, and the next begins."""
        self.wall.append(time.perf_counter() - self._wall)
        self.processor.append(time.process_time() - self._processor)
        self._begin()

    def _begin(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()


def bare_epochs(student: nn.Module, images: int, epochs: int) -> Clock:
    """A loop as everybody writes it."""
    data = make_images(images)
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (data.mean, data.std))
    optimiser = torch.optim.SGD(student.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    pixels, labels = data.train.images[:], data.train.labels
    student.train()
    clock = Clock()
    for _ in range(epochs):
        for batch in torch.randperm(images).split(BATCH)[: images // BATCH]:
            loss = F.cross_entropy(student((pixels[batch] / 255 - mean) / std), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        clock.epoch()
    return clock


def trained_epochs(distiller: str, names: Sequence[str], images: int, epochs: int, *, online: bool) -> Clock:
    """The same of this program's final training, its checkpoints included."""
    from kdzero_gp.data import NO_AUGMENTATION
    from kdzero_gp.methods.named import named_distiller
    from kdzero_gp.tasks.recipe import Recipe
    from kdzero_gp.tasks.task import Task
    from kdzero_gp.train.fit import fit
    from kdzero_gp.train.record import EpochLog, Silent

    recipe = Recipe(epochs, BATCH, LR, MOMENTUM, nesterov=False, weight_decay=DECAY)
    task = Task(
        " -> ".join(names),
        build(names[0], num_classes=CLASSES),
        partial(build, names[1], num_classes=CLASSES),
        make_images(images),
        recipe=recipe,
        proxy=recipe,
        augment=CROP_AND_FLIP if online else NO_AUGMENTATION,
        cache_gb=0.0 if online else 4.0,
    )
    named = named_distiller(distiller, task.student_taps.stages)
    clock = Clock()

    class Timing(Silent):
        def epoch_done(self, log: EpochLog) -> None:
            clock.epoch()

    with tempfile.TemporaryDirectory() as folder:
        fit(task, named, recipe, folder=folder, validate=False, observer=Timing())
    return clock


def measure(way: str, names: Sequence[str], images: int, epochs: int, threads: int) -> Row:
    """One way in this process, which is to be fresh: median seconds of an epoch and the peak of resident memory."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = peak()
    distiller = WAYS[way]
    if distiller is None:
        clock = bare_epochs(build(names[1], num_classes=CLASSES), images, epochs)
    else:
        clock = trained_epochs(distiller, names, images, epochs, online=way == ONLINE)
    wall, processor = (statistics.median(taken[1:]) for taken in (clock.wall, clock.processor))
    return {"wall": wall, "processor": processor, "peak MiB": peak(), "imports MiB": before}


def peak() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    kib = 1 if sys.platform == "darwin" else 1024  # Darwin counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kib / MIB
