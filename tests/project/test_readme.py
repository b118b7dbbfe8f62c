"""The README promises nothing that does not run: its Python blocks, its options, its files."""

import importlib
import re
from pathlib import Path

from typer.main import get_command

from kdzero_gp import Distiller
from kdzero_gp.grammar.registry import default_registry

ROOT = Path(__file__).resolve().parents[2]
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


def block(word: str) -> str:
    found = [text for text in BLOCKS if word in text]
    assert len(found) == 1, f"{len(found)} blocks with {word}"
    return found[0]


def test_the_primitive(tmp_path: Path) -> None:
    path = tmp_path / "my_ops.py"
    path.write_text(block("def energy"), encoding="utf-8")
    registry = default_registry().copy()
    registry.load_file(path)
    with registry.active():
        assert str(Distiller("weight(1, l2(energy(stage1)))").tree) == "weight(1, l2(energy(stage1)))"


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"`(--[a-z][a-z-]+)", README)) | set(re.findall(r"kdzero_gp\.\w+ (--[a-z-]+)", README))
    known = {option for command in COMMANDS for option in options(command)}
    assert named <= known, named - known


def test_every_command_is_named_and_there_is_no_other() -> None:
    assert set(re.findall(r"python -m kdzero_gp\.(\w+)", README)) == set(COMMANDS)


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"\]\(([\w/.]+\.(?:png|svg|md|json))\)", README)
    assert named
    assert all((ROOT / name).is_file() for name in named)
