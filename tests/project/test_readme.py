"""The README is short and promises nothing that does not run: its Python, its options, its files."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "examples" / "tutorial"
MOST_WORDS = 900
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = ("run", "train", "compare", "browse", "plot")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def options(command: str) -> set[str]:
    """All options of a command and of its sub-commands."""
    top = get_command(importlib.import_module(f"kdzero_gp.{command}").app)
    commands = [top, *getattr(top, "commands", {}).values()]
    return {
        name for each in commands for parameter in each.params for name in parameter.opts + parameter.secondary_opts
    }


def test_it_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_its_program_evolves_and_uses_a_loss(tmp_path: Path) -> None:
    """With networks and images of the tutorial, and smaller numbers."""
    (block,) = BLOCKS
    assert len([line for line in block.splitlines() if line.strip() and not line.startswith("#")]) <= 12
    shutil.copy(TUTORIAL / "my_pair.py", tmp_path / "my_models.py")
    shutil.copy(TUTORIAL / "make_shapes.py", tmp_path)
    small = "pop=2, gens=0, epochs=1, proxy_epochs=1, leaders=1, leader_seeds=0, final_seeds=1, workers=1"
    assert block.count("pop=20, gens=25") == 1
    search, marker, loop = block.replace("pop=20, gens=25", small).partition("# in a training loop")
    assert marker
    before = (
        "import numpy, my_models\nstored = numpy.load('mine.npz')\n"
        "images = torch.from_numpy(stored['x'][:64]).permute(0, 3, 1, 2) / 255\n"
        "loader = [(images, torch.from_numpy(stored['y'][:64]))] * 2\n"
        "student, teacher = my_models.small(num_classes=5), my_models.big(num_classes=5)\n"
    )
    after = "print(sum(map(float, distil.terms().values())) < float(loss), distil.distiller.tree == found.best.tree)\n"
    (tmp_path / "program.py").write_text(search + before + marker + loop + after, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KDZERO_GP_CACHE": str(tmp_path / "cache")}

    def run(*program: str) -> str:
        done = subprocess.run(
            [sys.executable, *program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("make_shapes.py", "600")
    (tmp_path / "shapes.npz").rename(tmp_path / "mine.npz")
    assert run("program.py").splitlines()[-1] == "True True"


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"`(--[a-z][a-z-]+)", README)) | set(re.findall(r"kdzero_gp\.\w+ (--[a-z-]+)", README))
    known = {option for command in COMMANDS for option in options(command)}
    assert named <= known, named - known


def test_every_command_is_named_and_there_is_no_other() -> None:
    assert set(re.findall(r"python -m kdzero_gp\.(\w+)", README)) == set(COMMANDS)


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"\]\(([\w/.]+)(?:#[\w-]+)?\)", README)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
