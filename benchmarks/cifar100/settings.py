"""How large the search and the comparison on CIFAR-100 are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.published_rank.settings import PUBLISHED

TEACHER_NORM = "cifar100"
"""The normalisation that the published weights of the teacher were trained with; the students take the data's own."""
METHODS = ("none", "kd", "at", "sp", "dist", "dkd")
"""What the search's best are compared with, by names of the catalogue."""
MARKS = {name: PUBLISHED[name] for name in ("none", "kd", "dist", "dkd")}
"""Published test accuracies in percent of the full recipe on ResNet-56 -> ResNet-20."""
BETTER_BY = 0.5
"""Points over the best published of these that an evolved distiller has to reach."""
WITHIN = 0.5
"""Points below its published accuracy that a method may be: rivals that are trained badly would prove nothing."""


@dataclass(frozen=True)
class Setting:
    """One size of the benchmark.

    Attributes:
        search, compare: options of a search and of a comparison beside pair, data, machine.
        shared: of both.
        seeds: trainings of each method.
    """

    name: str
    search: Mapping[str, Any]
    compare: Mapping[str, Any]
    teacher: str = "resnet56"
    student: str = "resnet20"
    seeds: int = 3
    methods: tuple[str, ...] = METHODS
    shared: Mapping[str, Any] = field(default_factory=dict)


REDUCED = Setting(
    "reduced",
    search={
        "pop": 8,
        "gens": 4,
        "proxy_epochs": 3,
        "epochs": 12,
        "leaders": 3,
        "leader_seeds": 1,
        "final_seeds": 1,
        "finalists": 1,
        "timeout": 3600.0,
    },
    compare={"epochs": 12, "preset": "general"},
    shared={
        "limit": 5_000,
        "augment": "crop-flip",
        "views": 2,
        "cache_gb": 4.0,
        "teacher_norm": TEACHER_NORM,
    },
)
"""For two CPU cores and two hours: a tenth of the images, and a schedule of twelve epochs instead of 240.

Search and comparison have one recipe: the published one drops its learning rate too late for so few steps.
"""
DEIT = Setting(
    "deit",
    search={
        "seed_methods": ("dist", "dkd", "kd"),
        "pop": 6,
        "gens": 3,
        "proxy_epochs": 3,
        "epochs": 10,
        "leaders": 2,
        "leader_seeds": 1,
        "final_seeds": 1,
        "finalists": 1,
        "timeout": 3600.0,
    },
    compare={"epochs": 10, "preset": "transformer"},
    student="deit_ti",
    methods=("none", "kd", "dist", "dkd"),
    shared={
        "limit": 2_000,
        "augment": "crop-flip",
        "views": 2,
        "cache_gb": 4.0,
        "student_input": 64,
        "teacher_norm": TEACHER_NORM,
    },
)
"""Across architectures, for two CPU cores and an hour: the student alone gets to about seven per cent.

With so few candidates evolution begins with hand-designed methods: 24 of its own found nothing as good as DIST.
"""
FULL = Setting(
    "full",
    search={
        "pop": 20,
        "gens": 15,
        "proxy_epochs": 24,
        "epochs": 60,
        "leaders": 6,
        "leader_seeds": 2,
        "final_seeds": 1,
        "finalists": 1,
        "timeout": 36_000.0,
        "views": 24,
    },
    compare={"cache_gb": 0.0},
    shared={"augment": "crop-flip", "teacher_norm": TEACHER_NORM},
)
"""For a GPU: all images, the published recipe of 240 epochs, every epoch with views of its own."""
QUICK = Setting(
    "quick",
    search={
        "pop": 2,
        "gens": 0,
        "proxy_epochs": 1,
        "epochs": 1,
        "leaders": 1,
        "leader_seeds": 1,
        "final_seeds": 1,
        "finalists": 1,
    },
    compare={"epochs": 4, "batch_size": 16},
    teacher="cnn4",
    student="cnn2",
    seeds=2,
    methods=("none", "kd", "dkd"),
    shared={"augment": "none"},
)
"""To see that it works: striped images in three classes, networks of a few thousand numbers."""
