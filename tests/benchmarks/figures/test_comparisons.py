"""A comparison that was made elsewhere is taken."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.figures.comparisons import begin_with, compared
from benchmarks.figures.settings import Plan, quick
from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.comparison_tables import read_table

pytestmark = pytest.mark.usefixtures("shared_cache")


MACHINE = {"amp": False, "device": "cpu"}


def small(folder: Path) -> Plan:
    return quick("figures_cifar100", f"npz:{folder / 'keep' / 'small.npz'}")


def changes(folder: Path) -> dict[Path, int]:
    """When every file that a training or comparison left was written."""
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_comparison_made_elsewhere_is_taken(first: Path, tmp_path: Path) -> None:
    plan, made = small(first), first / "keep" / "comparisons" / "cnn4"
    evolved = shutil.copy(first / "keep" / "evolved.json", tmp_path / "mine.json")
    folder = tmp_path / "comparison"
    begin_with(folder, made)
    before = changes(folder / "trainings")
    compared(plan, plan.teachers[0], folder, evolved, MACHINE, 1, Console(file=io.StringIO()))
    assert changes(folder / "trainings") == before, "nothing was trained"
    assert read_table(folder).rows == read_table(made).rows
    with pytest.raises(ConfigError, match="no folder of a comparison"):
        begin_with(tmp_path / "other", tmp_path)
