"""What a number of a run depends on: pair, data, seed, budget, machine, versions."""

import datetime
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kdzero_gp.session.config import RunConfig
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
    gpu = f", {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{os.cpu_count()} cores of {_processor()}{gpu}"


def _processor() -> str:
    """The processor's name where the system tells it, otherwise its architecture."""
    listing = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", listing.read_text(), re.MULTILINE) if listing.exists() else []
    return f"{names[0]} ({platform.machine()})" if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
