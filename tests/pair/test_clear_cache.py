"""`--clear-cache` of the commands that train teachers: our files go, the others stay, nothing else is done."""

import importlib
from pathlib import Path

import pytest
from typer.testing import CliRunner


@pytest.mark.parametrize("command", ["run", "train", "compare"])
def test_the_cache_is_emptied_and_the_command_ends(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnn4-digits-0123456789abcdef.safetensors").write_bytes(b"x" * 10)
    (tmp_path / "notes.txt").write_text("mine")
    app = importlib.import_module(f"kdzero_gp.{command}.__main__").app
    outcome = CliRunner().invoke(app, ["--clear-cache"])
    assert outcome.exit_code == 0, outcome.output
    assert "removed 1 files" in outcome.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]
