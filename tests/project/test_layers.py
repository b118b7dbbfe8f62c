"""The house stands on its floors: a room imports from rooms below it alone, and no files import in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[2]
FLOORS = (
    ("errors",),
    (
        *("version", "untrusted", "knowledge", "randomness", "provenance", "whole_file"),
        *("torch_state", "choices", "folder_choices"),
    ),
    ("grammar",),
    ("primitives", "drawing"),
    ("distiller",),
    ("export", "store"),
    ("console", "data", "models", "taps"),
    ("tasks",),
    ("methods",),
    ("pair",),
    ("loops",),
    ("evaluate",),
    ("execute",),
    ("evolve",),
    ("gallery",),
    ("run",),
    ("train",),
    ("browse", "compare"),
    ("plot",),
    ("the facade",),
)
"""From the ground up. Rooms of one floor do not know one another, but for the ground's second floor."""
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room(module: str) -> str:
    """The room that a module stands in."""
    parts = module.split(".")
    if parts[0] == "primitives":
        return "primitives"
    return parts[1] if len(parts) > 1 else "the facade"


def imports(root: Path) -> Iterator[tuple[str, str]]:
    """Importing and imported module of every import in the project's code, wherever in a file it stands."""
    files = [*(root / "kdzero_gp").rglob("*.py"), *(root / "primitives").rglob("*.py")]
    names = {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for file in files}
    for file in files:
        importer = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((importer, alias.name) for alias in node.names if alias.name in names)
            elif isinstance(node, ast.ImportFrom) and node.module in names:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield importer, inner if inner in names else node.module


def faults(root: Path) -> list[str]:
    """Every import that runs upwards, or from a room to its neighbour, with its two names; and every circle."""
    found = []
    graph = nx.DiGraph()
    for importer, imported in imports(root):
        graph.add_edge(importer, imported)
        above, below = room(importer), room(imported)
        if above not in LEVEL:
            found.append(f"{importer}: the room {above} has no floor")
        elif above != below and LEVEL[below] >= LEVEL[above] and LEVEL[below] != 1:
            found.append(f"{importer} imports {imported}, but {below} stands no lower than {above}")
    circles = [part for part in nx.strongly_connected_components(graph) if len(part) > 1]
    return [*found, *(f"a circle: {', '.join(sorted(circle))}" for circle in circles)]


def test_no_import_runs_upwards_and_none_in_a_circle() -> None:
    assert faults(ROOT) == []


def test_rooms_are_those_that_have_floors() -> None:
    rooms = {
        path.stem
        for path in (ROOT / "kdzero_gp").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    assert rooms | {"primitives", "the facade"} == set(LEVEL)


def test_tests_stand_in_the_rooms_of_what_they_test() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert folders - set(LEVEL) == {"benchmarks", "browser", "cli", "docs", "project"}


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("kdzero_gp/grammar/tree.py", "from kdzero_gp.drawing.render import svg", ("grammar.tree", "drawing.render")),
        ("kdzero_gp/drawing/render.py", "import primitives", ("drawing.render", "primitives")),
        ("kdzero_gp/grammar/types.py", "def f(): from kdzero_gp.grammar.tree import Tree", ("circle", "grammar.types")),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, line: str, named: tuple[str, str]) -> None:
    planted = {
        "kdzero_gp/__init__.py": "",
        "kdzero_gp/grammar/__init__.py": "",
        "kdzero_gp/grammar/types.py": "",
        "kdzero_gp/grammar/tree.py": "from kdzero_gp.grammar.types import Map",
        "kdzero_gp/drawing/__init__.py": "",
        "kdzero_gp/drawing/render.py": "from kdzero_gp.grammar.tree import Tree",
        "primitives/__init__.py": "from kdzero_gp.grammar.types import Map",
    }
    for name, text in planted.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert faults(tmp_path) == []
    (tmp_path / file).write_text(f"{planted[file]}\n{line}\n")
    assert any(all(name in fault for name in named) for fault in faults(tmp_path))
