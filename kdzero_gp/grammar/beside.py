"""A user's primitive file with the modules that lie beside it, loaded as Python loads a script's."""

import ast
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from kdzero_gp.errors import PrimitiveError


@contextmanager
def modules_beside(path: Path) -> Iterator[None]:
    """Lets the file import the modules of its folder inside the block.

    Raises:
        PrimitiveError: one of them has the name of a module that is loaded already from elsewhere, which Python would
            hand out in its place.
    """
    for name, line in imports(path):
        loaded = sys.modules.get(name)
        if name not in sys.stdlib_module_names and loaded is not None and _other(loaded, path.parent, name):
            raise PrimitiveError(
                f"{path}:{line}: `{name}` lies beside this file, but a module of that name is loaded already, from "
                f"{loaded.__file__}; give yours another name"
            )
    folder = str(path.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def imports(path: Path) -> list[tuple[str, int]]:
    """Lists the modules that a file imports, by first name and line; none if it is not Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # running the file tells its fault
        return []
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.partition(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module.partition(".")[0], node.lineno))
    return found


def beside(folder: Path, name: str) -> Path | None:
    """Gives the file of a module or package of this name in a folder."""
    for path in (folder / f"{name}.py", folder / name / "__init__.py"):
        if path.is_file():
            return path
    return None


def line_of(error: BaseException, path: Path) -> str:
    """Gives `FILE:LINE` where an error left a file that was being run, or the file alone."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _other(loaded: ModuleType, folder: Path, name: str) -> bool:
    """Tells whether a loaded module is another than the one of its name in a folder, which there must be."""
    own, file = beside(folder, name), getattr(loaded, "__file__", None)
    return own is not None and (file is None or Path(file).resolve() != own.resolve())
