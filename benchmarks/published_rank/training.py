"""One candidate's proxy trainings, each kept as a small file, so that a stopped benchmark goes on where it was."""

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.published_rank.settings import ALONE, FULL_EPOCHS, Proxy
from kdzero_gp import Distiller, Knowledge
from kdzero_gp.data import Dataset, Split, load_dataset
from kdzero_gp.data.augment.augmentation import NO_AUGMENTATION, Augmentation
from kdzero_gp.loops.single import DivergedError, Training
from kdzero_gp.methods.registry import method
from kdzero_gp.models import build
from kdzero_gp.tasks.classification.measures import fitness_parts
from kdzero_gp.tasks.task import CACHE_GB, Task
from kdzero_gp.tasks.teacher.pretrain import cached_teacher


@dataclass(frozen=True)
class Source:
    """The pair and its data.

    Attributes:
        weights: of the teacher; None trains it.
        val_images: at most as many of the validation split are measured on.
        device: of the students.
        threads: that one training may use.
        cache_gb: GiB of memory for the teacher's outputs; 0 runs the teacher in every step.
    """

    data: str
    weights: str | None
    teacher: str = "resnet56"
    student: str = "resnet20"
    val_images: int | None = None
    device: str = "cpu"
    threads: int = 1
    cache_gb: float = CACHE_GB


@dataclass(frozen=True)
class Job:
    """One method's training under one proxy with one seed."""

    proxy: Proxy
    method: str
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its outcome is kept."""
        return folder / self.proxy.name / f"{self.method}-{self.seed}.json"


class Rising(Distiller):
    """A distiller whose weight rises linearly from 0 over its first calls, as DKD was published."""

    rise = 0

    def forward(self, student: Knowledge, teacher: Knowledge, targets: torch.Tensor | None = None) -> torch.Tensor:
        """The loss of one batch, a scalar, at this call's share of its weight."""
        loss = super().forward(student, teacher, targets)
        return loss * min(1.0, self.calls / self.rise) if self.rise else loss


def outcome(job: Job, source: Source, folder: Path) -> dict[str, Any]:
    """The parts at each stop of a job: read, or trained and kept.

    Raises:
        ValueError: the folder holds the outcome of another setting of this name, or of other data.
    """
    path = job.path(folder)
    identity = _identity(job, source)
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name, value in identity.items():
            if kept.get(name) != value:
                raise ValueError(f"{path}: {name} is {kept.get(name)}, but must be {value}; give another --keep folder")
        return kept
    torch.set_num_threads(source.threads)
    started = time.perf_counter()
    stops = _trained(job, source, folder)
    seconds = round(time.perf_counter() - started, 1)
    record = identity | {"stops": stops, "seconds": seconds, "device": torch.device(source.device).type}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_suffix(f".{os.getpid()}.partial")
    partial_path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial_path, path)
    return record


def _identity(job: Job, source: Source) -> dict[str, Any]:
    setting = asdict(job.proxy) | {"stops": list(job.proxy.stops)}
    pair = {"teacher": source.teacher, "student": source.student, "val_images": source.val_images}
    data = _data(source).fingerprint()
    return {"setting": setting, "method": job.method, "seed": job.seed, "pair": pair, "data": data}


def _trained(job: Job, source: Source, folder: Path) -> list[Mapping[str, float] | None]:
    """The parts at each stop, None from the one on that a diverged training did not reach."""
    task = proxy_task(source, job.proxy)
    student = task.student(job.seed)
    if job.proxy.warm:
        student.load_state_dict(load_file(_warm_start(job, source, folder), device=str(task.device)))
    chosen = method(job.method)
    recipe = job.proxy.recipe(chosen.ce_weight)
    training = Training.of(task, student, _distiller(job, task), recipe, order_seed=job.seed)
    stops: list[Mapping[str, float] | None] = []
    for stop in job.proxy.stops:
        try:
            training.advance(job.proxy.steps(stop))
            parts = fitness_parts(task, training.student)
        except DivergedError:
            break
        stops.append(parts if all(map(math.isfinite, parts.values())) else None)
    return stops + [None] * (len(job.proxy.stops) - len(stops))


def _distiller(job: Job, task: Task) -> Distiller | None:
    """The method as published; a warm-up takes the same share of the proxy's schedule as of the published one."""
    if job.method == ALONE:
        return None
    chosen = method(job.method)
    distiller = Rising(chosen.tree([tap for tap in task.student_taps if tap.startswith("stage")]), seed=job.seed)
    distiller.rise = round(job.proxy.steps(job.proxy.schedule) * chosen.warmup_epochs / FULL_EPOCHS)
    return distiller


def _warm_start(job: Job, source: Source, folder: Path) -> Path:
    """The student alone after the proxy's warm epochs: one file for each seed, made by whoever needs it first."""
    proxy = job.proxy
    path = folder / f"warm{proxy.warm}-v{proxy.views}-b{proxy.batch_size}-lr{proxy.lr:g}-{job.seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            task = proxy_task(source, replace(proxy, images=0))
            recipe = proxy.warm_recipe
            training = Training(task, None, recipe, student_seed=job.seed, order_seed=job.seed + 1_000_000)
            training.advance(proxy.warm * recipe.steps_per_epoch(len(task.data.train)))
            partial_path = path.with_suffix(f".{os.getpid()}.partial")
            save_file({name: value.contiguous() for name, value in _state(training.student).items()}, partial_path)
            os.replace(partial_path, path)
    return path


def _state(student: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu() for name, value in student.state_dict().items()}


@lru_cache(maxsize=2)
def _task(source: Source, images: int, views: int) -> Task:
    data = _data(source)
    if images:
        data = replace(data, train=Split(data.train.images[:images], data.train.labels[:images]))
    teacher = cached_teacher(source.teacher, _data(source), weights=source.weights, device=source.device)
    student = partial(build, source.student, num_classes=data.num_classes, in_channels=data.image_shape[0])
    recipe = Proxy("any", max(images, 1), 1, (1,)).recipe()
    augment = Augmentation(padding=4, flip=True, views=views) if views > 1 else NO_AUGMENTATION
    return Task(
        f"{source.teacher} -> {source.student} on {data.name}",
        teacher,
        student,
        data,
        recipe=recipe,
        proxy=recipe,
        device=source.device,
        augment=augment,
        cache_gb=source.cache_gb,
    )


def proxy_task(source: Source, proxy: Proxy) -> Task:
    """The pair on the first images of the training split (0: on all), with the proxy's views."""
    return _task(source, proxy.images, proxy.views)


@lru_cache(maxsize=1)
def _data(source: Source) -> Dataset:
    data = load_dataset(source.data)
    if source.val_images is not None:
        kept = slice(source.val_images)
        data = replace(data, val=Split(data.val.images[kept], data.val.labels[kept]))
    return data
