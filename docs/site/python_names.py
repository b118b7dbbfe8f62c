"""The pages of the Python names: what `kdzero_gp` hands out, then every room of the package, module by module."""

from pathlib import Path
from typing import Any

import kdzero_gp

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kdzero_gp"
INDEX = "python/index.md"
INTRODUCTION = """# Python

What a program of your own imports: `from kdzero_gp import …`. These names stay; the modules behind them, in the list
beside this page, may change from one version to the next.
"""


def pages() -> dict[str, str | bytes]:
    """The page of the public names, and one for each room."""
    blocks = [f"::: kdzero_gp.{name}\n    options: {{ heading_level: 2 }}" for name in sorted(kdzero_gp.__all__)]
    found: dict[str, str | bytes] = {INDEX: "\n\n".join([INTRODUCTION, *blocks]) + "\n"}
    for room, modules in rooms().items():
        listed = [f"## `{module}` {{ #{module} }}\n\n::: {module}\n{_OPTIONS}" for module in modules]
        found[f"python/{room}.md"] = "\n\n".join([f"# kdzero_gp.{room}", *listed]) + "\n"
    return found


_OPTIONS = "    options: { show_root_heading: false, show_root_toc_entry: false }"


def navigation() -> list[Any]:
    """The public names, then the rooms."""
    return [INDEX, *({room: f"python/{room}.md"} for room in rooms())]


def rooms() -> dict[str, list[str]]:
    """The modules by the folder of the package that they stand in; the faces that only hand names on are left out."""
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        inside = file.relative_to(PACKAGE).with_suffix("")
        if len(inside.parts) > 1 and file.name not in ("__init__.py", "__main__.py"):
            found.setdefault(inside.parts[0], []).append(".".join((PACKAGE.name, *inside.parts)))
    return found
