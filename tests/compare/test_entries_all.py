"""`all` and `trees`: every method that fits, and why the others are left out."""

from functools import partial
from pathlib import Path

import pytest
import torch

from kdzero_gp.compare.comparison import _entered, compare
from kdzero_gp.compare.entries import widened
from kdzero_gp.data import load_dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.models import build
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task


def test_what_they_stand_for() -> None:
    single, wide = widened(["kd", "trees", "x=weight(1, l1(logits))"])
    assert single == ["kd", "x=weight(1, l1(logits))"]
    assert wide == [name for name, method in METHODS.items() if method.module is None and name != "kd"]
    assert widened(["all"]) == ([], list(METHODS))
    assert widened(["all", "trees"]) == ([], list(METHODS))
    assert widened(["kd"]) == (["kd"], [])


@pytest.fixture
def task() -> Task:
    """A pair without a route: its teacher was never trained here."""
    torch.manual_seed(0)
    teacher = build("cnn4", num_classes=10, in_channels=1)
    recipe = Recipe(epochs=1, batch_size=64, lr=0.1)
    student = partial(build, "cnn2", num_classes=10, in_channels=1)
    return Task("small", teacher, student, load_dataset("digits", limit=128), recipe=recipe, proxy=recipe)


def test_methods_that_do_not_fit_are_left_out_with_the_reason(task: Task) -> None:
    entries, left_out = _entered(["all"], task)
    assert {entry.label for entry in entries} | set(left_out) == set(METHODS)
    assert set(left_out) == {"rco"}
    assert "came with its weights" in left_out["rco"]


def test_one_that_is_named_itself_must_fit(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the method rco does not fit this pair: .* came with its weights"):
        compare("rco", task=task, out=tmp_path / "c")


def test_the_table_says_who_was_left_out_and_why(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: METHODS[name] for name in ("rco", "vid", "none")}
    monkeypatch.setattr("kdzero_gp.compare.entries.METHODS", few)
    found = compare("all", seeds=1, task=task, out=tmp_path / "c")
    assert {row.label: row.learned > 0 for row in found.rows} == {"none": False, "vid": True}
    assert all(row.trained == 1 for row in found.rows)
    assert set(found.facts.left_out) == {"rco"}
    text = (tmp_path / "c" / "table.txt").read_text(encoding="utf-8")
    assert "left out: rco: " in text
    compare("vid", seeds=1, task=task, out=tmp_path / "c")
    assert "left_out" not in (tmp_path / "c" / "table.json").read_text(encoding="utf-8")
