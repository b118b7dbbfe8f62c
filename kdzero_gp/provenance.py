"""What a number depends on beside its seed: the machine and the versions of libraries."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from kdzero_gp.version import __version__

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the packages `kdzero_gp` and `primitives`."""
LIBRARIES = ("torch", "torchvision", "deap", "numpy")


def hardware(device: str) -> str:
    """Gives the machine a result was made on, in words."""
    gpu = f", {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{os.cpu_count()} cores of {_processor()}{gpu}"


def _processor() -> str:
    """Gives the processor's name where the system tells it, otherwise its architecture."""
    listing = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", listing.read_text(), re.MULTILINE) if listing.exists() else []
    return f"{names[0]} ({platform.machine()})" if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of what decides a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def program_versions() -> dict[str, str]:
    """Versions of what a distiller's numbers come from: this program, torch, DEAP and Python."""
    try:
        deap = version("deap")
    except PackageNotFoundError:
        deap = "unknown"
    return {
        "kdzero_gp": __version__,
        "torch": str(torch.__version__),
        "deap": deap,
        "python": platform.python_version(),
    }
