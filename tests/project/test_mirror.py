"""Tests mirror the tree: the test of a module has its name, in the folder of its room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "": "kdzero_gp",
    "benchmarks": "benchmarks",
    "primitives": "primitives",
    **{room.name: f"kdzero_gp/{room.name}" for room in (ROOT / "kdzero_gp").iterdir() if room.is_dir()},
}
ELSEWHERE = ("browser", "cli", "docs", "project")
"""Folders of tests that see the whole program from outside: pages in a browser, commands, the site, the repository."""
EVERY_PRIMITIVE = "all"
"""Begins the names of tests below `primitives` that hold every primitive to one rule."""


def all_tests() -> Iterator[Path]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.relative_to(ROOT / "tests").parts[0] not in ELSEWHERE:
            yield path


def module_of(path: Path) -> Path | None:
    """The module or package that a test's name begins with, as in `test_store_processes.py` of `store.py`."""
    folder = path.relative_to(ROOT / "tests").parent
    room, *below = folder.parts or ("",)
    home = ROOT.joinpath(ROOMS.get(room, "nowhere"), *below)
    words = path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    if names[0] == "main":
        names.insert(0, "__main__")
    places = [place for name in names for place in (home / f"{name}.py", home / name) if place.exists()]
    return places[0] if places else None


@pytest.mark.parametrize("path", all_tests(), ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_it_has_the_name_of_a_module(path: Path) -> None:
    if path.parent.name == "primitives" and path.stem.split("_")[1] == EVERY_PRIMITIVE:
        return
    assert module_of(path) is not None, (
        f"{path.relative_to(ROOT)} is no test of a module: name it test_MODULE.py or test_MODULE_WHAT.py in the folder "
        "of that module's room"
    )


def test_a_stray_one_is_found() -> None:
    assert module_of(ROOT / "tests" / "store" / "test_anything.py") is None
    assert module_of(ROOT / "tests" / "attic" / "test_store.py") is None
    assert module_of(ROOT / "tests" / "store" / "test_store_killed.py") == ROOT / "kdzero_gp" / "store" / "store.py"
    assert module_of(ROOT / "tests" / "run" / "test_main.py") == ROOT / "kdzero_gp" / "run" / "__main__.py"
