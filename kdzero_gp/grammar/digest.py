"""What an operation was when it was declared: its source text and that of the files beside it, and a digest of them.

Two runs may compare an operation of one name only if their digests agree.
"""

import ast
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.place import PROJECT

PLAIN = (bool, int, float, str, type(None))


def digest_of(operation: Operation) -> str:
    """Gives a digest of everything that a declaration says: its files' text, and the values it was made with.

    Where files lie does not matter. An operation typed at a prompt has no text; its compiled code stands for it.
    """
    content = hashlib.sha256()
    for name, text in operation.code:
        content.update(f"{name}\0{text}\0".encode("utf-8", "surrogatepass"))
    declared = inspect.unwrap(operation.function)
    place = getattr(declared, "__qualname__", ""), getattr(getattr(declared, "__code__", None), "co_firstlineno", 0)
    content.update(repr((operation.name, *place, *_made_with(declared))).encode())
    if not operation.code:
        content.update("\0".join(_compiled(getattr(declared, "__code__", None))).encode("utf-8", "surrogatepass"))
    return content.hexdigest()


def digests_of(operations: Iterable[Operation]) -> dict[str, str]:
    """Gives the digests by name, sorted; the sum and the weight of every formula have none."""
    return {o.name: digest_of(o) for o in sorted(operations, key=lambda o: o.name) if o.kind != "structure"}


def declared_code(declared: Callable[..., Any]) -> tuple[tuple[str, str], ...]:
    """Name and text of the file of a function or class and of those that it imports from beside it, as they are now."""
    thing = inspect.unwrap(declared)
    try:
        file = inspect.getsourcefile(thing)
        text = "".join(inspect.findsource(thing)[0])
    except (OSError, TypeError):
        return ()
    return _gathered(Path(file or thing.__name__), text)


def code_of_file(path: Path) -> tuple[tuple[str, str], ...]:
    """Gives name and text of a Python file and of those that it imports from beside it, as they are now.

    Raises:
        OSError: it cannot be read.
    """
    return _gathered.__wrapped__(path, _text(path))


@functools.lru_cache(maxsize=256)
def _gathered(path: Path, text: str) -> tuple[tuple[str, str], ...]:
    found: dict[Path, str] = {path: text}
    left = [(path, text)]
    while left:
        file, content = left.pop()
        for other in _imported(file, content):
            if other not in found:
                found[other] = _text(other)
                left.append((other, found[other]))
    beside = sorted((file.name, content) for file, content in found.items() if file != path)
    # a cell's name differs from run to run
    return ((path.name if path.is_file() else "cell", text), *beside)


def _imported(path: Path, text: str) -> Iterator[Path]:
    """Gives the files that a file imports from its own folder, or a built-in one from the folder of primitives."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return
    root = PROJECT if path.is_relative_to(PROJECT / "primitives") else path.parent
    for node in nodes:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module or ''}"
            names = [start, *(f"{start}.{alias.name}".lstrip(".") for alias in node.names)]
        for name in (name for name in names if name and name.partition(".")[0] != "kdzero_gp"):
            stem = root / Path(*name.split("."))
            yield from (file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _made_with(declared: Any) -> list[Any]:
    """Lists the plain values bound to a function: its defaults and closure variables."""
    defaults = [*(getattr(declared, "__defaults__", None) or ())]
    named = sorted((getattr(declared, "__kwdefaults__", None) or {}).items())
    cells = [getattr(cell, "cell_contents", None) for cell in getattr(declared, "__closure__", None) or ()]
    return [value for value in (*defaults, *named, *cells) if isinstance(value, (*PLAIN, tuple))]


def _compiled(code: Any) -> Iterator[str]:
    if code is None:
        return
    yield code.co_code.hex()
    yield from map(str, code.co_names)
    for constant in code.co_consts:
        yield from _compiled(constant) if hasattr(constant, "co_code") else (repr(constant),)
