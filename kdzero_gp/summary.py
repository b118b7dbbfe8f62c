"""What a number of a run depends on: pair, data, seed, budget, machine, versions."""

import datetime
import os
import platform
from importlib.metadata import version
from typing import Any

import torch

from kdzero_gp.config import RunConfig
from kdzero_gp.tasks.task import Task

LIBRARIES = ("torch", "torchvision", "deap", "numpy")


def run_summary(config: RunConfig, task: Task) -> dict[str, Any]:
    """The facts of a run as plain data."""
    scores = task.teacher_knowledge("test", ["logits"])["logits"]
    return {
        "pair": config.pair,
        "data": config.data,
        "seed": config.seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hardware": hardware(config.device),
        "versions": versions(),
        "teacher_accuracy": float((scores.argmax(1) == task.labels("test")).double().mean()),
        "shapes": {
            side: {name: [2, *tap.shape] for name, tap in taps.items()}
            for side, taps in (("student", task.student_taps), ("teacher", task.teacher_taps))
        },
        "budget": config.pop * (config.gens + 1),
    }


def hardware(device: str) -> str:
    """The machine a result was made on, in words."""
    processor = platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{os.cpu_count()} cores of {processor}{gpu}"


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
