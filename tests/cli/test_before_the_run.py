"""What is settled before a run begins: its folder's name, the folder itself, torch's global settings."""

import contextlib
import datetime
from pathlib import Path

import pytest
import torch

from kdzero_gp.errors import StoreError
from kdzero_gp.randomness import settled_torch
from kdzero_gp.store.folder import default_folder, reserve_folder


def test_two_runs_of_one_second_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Noon":
            return cls(2026, 2, 3, 12, 0, 7)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datetime, "datetime", Noon)
    names = []
    for _ in range(3):
        folder = default_folder("my.models:net", "cnn2")
        names.append(str(folder))
        folder.mkdir(parents=True)
    first = "runs/2026-02-03_12-00-07_my.models_net-cnn2"
    assert names == [first, f"{first}_2", f"{first}_3"]


def test_a_folder_is_unmade_only_if_it_was_made_here_and_is_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine" / "a" / "b", tmp_path / "mine"):
        with contextlib.suppress(ZeroDivisionError), reserve_folder(folder):
            assert folder.is_dir()
            assert list(folder.iterdir()) == []
            raise ZeroDivisionError
        assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    with contextlib.suppress(ZeroDivisionError), reserve_folder(tmp_path / "x" / "y"):
        (tmp_path / "x" / "y" / "file").touch()
        raise ZeroDivisionError
    assert (tmp_path / "x" / "y" / "file").exists()
    with pytest.raises(StoreError, match="is not empty"), reserve_folder(tmp_path):
        pass


def test_torch_is_left_as_it_was() -> None:
    def state() -> tuple[int, int]:
        return torch.get_num_threads(), torch.get_deterministic_debug_mode()

    before = state()
    with contextlib.suppress(ZeroDivisionError), settled_torch(1, "cpu"):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert state() == before
    with settled_torch(2, "cuda"):
        assert state() == (2, 0)
    assert state() == before
