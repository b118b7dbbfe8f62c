"""The three examples run as they stand, with smaller numbers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PAIR = {"teacher": "cnn4", "limit": 200, "workers": 1, "fuse": "1"}
TRAININGS = {"epochs": 1, "proxy_epochs": 1, "leaders": 1, "leader_seeds": 0, "final_seeds": 2}
SEARCH = {"pop": 2, "gens": 0, **PAIR, **TRAININGS}
SMALL = {
    "evolve_and_use.py": ("SIZE", repr(SEARCH)),
    "own_loop.py": ("EPOCHS", "1"),
    "own_primitive.py": None,
}
PRINTED = {
    "evolve_and_use.py": r"student alone +\d.*the loss: (weight|add)\(.*of one batch: [\d.]+\n.*\n$",
    "own_loop.py": r"^teacher: [\d.]+%\nepoch 1: loss [\d.]+, accuracy [\d.]+%\n$",
    "own_primitive.py": r"^energy\.svg: add\(.*\nloss: [\d.]+\nstage2: Aligner\(4 -> 16 at \(6, 6\)\)\n$",
}


def test_every_example_is_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SMALL) == set(PRINTED)


@pytest.mark.parametrize("name", SMALL)
def test_example(name: str, tmp_path: Path, teacher_cache: str) -> None:
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    change = SMALL[name]
    if change is not None:
        constant, value = change
        source, found = re.subn(rf"^{constant} = .*$", f"{constant} = {value}", source, flags=re.MULTILINE)
        assert found == 1
    (tmp_path / name).write_text(source, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KDZERO_GP_CACHE": teacher_cache}
    done = subprocess.run(
        [sys.executable, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTED[name], done.stdout, re.DOTALL), done.stdout
    if name == "own_primitive.py":
        drawing = (tmp_path / "energy.svg").read_text(encoding="utf-8")
        assert drawing.startswith("<svg")
        assert "energy" in drawing
