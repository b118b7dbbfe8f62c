"""Trainings are kept whole or not at all, and only where they belong together."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.compare.folder import ComparisonFolder, read_settings
from kdzero_gp.errors import StoreError

SETTINGS = {"recipe": {"epochs": 3, "clip": math.inf}, "seed": 0, "taps": {"pool": ["", 4]}}


def test_a_training_is_read_as_it_was_kept(tmp_path: Path, entry: Any, result: Any) -> None:
    with ComparisonFolder(tmp_path / "new" / "a", SETTINGS) as folder:
        assert folder.result(entry("kd"), 0) is None
        folder.keep(entry("kd"), 0, result(0.1 + 0.2))
        folder.keep(entry("kd"), 1, result(None))
    with ComparisonFolder(tmp_path / "new" / "a", SETTINGS) as folder:
        assert folder.result(entry("kd"), 0) == result(0.1 + 0.2)
        failed = folder.result(entry("kd"), 1)
        assert failed is not None
        assert failed.part("accuracy") is None
        assert folder.result(entry("at"), 0) is None
        folder.forget(entry("kd"), 1)
        assert folder.result(entry("kd"), 1) is None
    assert read_settings(tmp_path / "new" / "a")["recipe"]["clip"] == math.inf


def test_other_settings_are_named_by_field(tmp_path: Path) -> None:
    with ComparisonFolder(tmp_path, SETTINGS):
        pass
    before = (tmp_path / "settings.json").read_bytes()
    other = SETTINGS | {"recipe": {"epochs": 4, "clip": math.inf}}
    with pytest.raises(StoreError, match=r"recipe.epochs: the comparison has 3, but 4 was given[\s\S]*another --out"):
        ComparisonFolder(tmp_path, other)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"is not empty \(it holds 'thesis.tex'\) and no comparison"):
        ComparisonFolder(tmp_path, SETTINGS)
    assert not (tmp_path / "settings.json").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="--out"):
        ComparisonFolder(tmp_path / "file", SETTINGS)


def test_two_processes_do_not_add_at_once(tmp_path: Path) -> None:
    with (
        ComparisonFolder(tmp_path, SETTINGS),
        pytest.raises(StoreError, match="another process is adding to the comparison"),
    ):
        ComparisonFolder(tmp_path, SETTINGS)
    with ComparisonFolder(tmp_path, SETTINGS):
        pass


@pytest.mark.parametrize(
    "change",
    [
        {"parts": {"accuracy": "0.9"}},
        {"parts": {}},
        {"parts": None},
        {"error": "both a result and an error"},
        {"seed": 1},
        {"key": "0" * 16},
        {"seconds": None},
    ],
)
def test_a_changed_training_is_refused(tmp_path: Path, entry: Any, result: Any, change: dict[str, Any]) -> None:
    with ComparisonFolder(tmp_path, SETTINGS) as folder:
        folder.keep(entry("kd"), 0, result(0.5))
        (file,) = (tmp_path / "trainings").iterdir()
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(StoreError, match="is not the training of kd with seed 0, or it is damaged; remove it"):
            folder.result(entry("kd"), 0)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_broken_file_is_named(tmp_path: Path, entry: Any, result: Any, content: str) -> None:
    with ComparisonFolder(tmp_path, SETTINGS) as folder:
        folder.keep(entry("kd"), 0, result(0.5))
        (file,) = (tmp_path / "trainings").iterdir()
        file.write_text(content)
        with pytest.raises(StoreError, match=f"{file.name}.*remove it"):
            folder.result(entry("kd"), 0)
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(StoreError, match=r"settings.json"):
        ComparisonFolder(tmp_path, SETTINGS)
