"""This checkout of the project: its folders, its commit, and which benchmarks it has."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def has_benchmark(name: str) -> bool:
    """Whether `python -m benchmarks.NAME` is there: a package with a command, or a single module."""
    folder = ROOT / "benchmarks"
    return (folder / name / "__main__.py").is_file() or (folder / f"{name}.py").is_file()


def commit() -> str:
    """The commit of the code, `-dirty` if files other than results and README differ from it."""
    sources = (":(top)", ":(top,exclude)benchmarks/results", ":(top,exclude)README.md")
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("-dirty" if _git("status", "--porcelain", "--", *sources) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # a copy without its history, such as an unpacked archive


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
