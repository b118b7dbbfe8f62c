"""Primitives' own source, with all that it needs, gathered from the files they were declared in.

The files are read and parsed, never run. Definitions keep their text (comments and all); where two files give one name
two meanings, one of them is renamed after its file.
"""

import ast
import builtins
import copy
import inspect
import keyword
import linecache
import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, NoReturn

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.export.module_names import bindings, bound_inside, free_names, import_statement, is_installed, renamed
from kdzero_gp.grammar.operation import Operation, Signature
from kdzero_gp.provenance import ROOT

PROGRAM = ROOT / "kdzero_gp"
"""Below it stand the files whose `Aligner` and `TapError` a stand-alone file has by itself."""
IMPORTS = {
    "import torch": "torch",
    "from torch import Tensor": "Tensor",
    "from collections.abc import Mapping": "Mapping",
    "from collections.abc import Sequence": "Sequence",
}
"""What the class of every stand-alone file refers to."""
PLAIN = (bool, int, float, str, type(None))


@dataclass
class SourceFile:
    """A parsed Python file and the names its statements bind."""

    path: str
    lines: list[str]
    tree: ast.Module
    bindings: dict[str, list[ast.stmt]]
    names: dict[str, str] = field(default_factory=dict)  # own global name -> name in the stand-alone file


class Sources:
    """Gathers definitions; `imports` and `pieces` are in an order in which they can be executed.

    Args:
        reserved: names that no definition may take.
        given: names that the files of this folder may use because the stand-alone file has them anyway.
    """

    def __init__(self, reserved: Iterable[str], given: Iterable[str] = ()) -> None:
        self.imports = dict(IMPORTS)  # statement -> the name it binds
        self.pieces: list[str] = []
        self.third_party: set[str] = set()
        self._given = frozenset(given)
        self._taken = {*reserved, *given, *IMPORTS.values(), *keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
        self._files: dict[str, SourceFile] = {}
        self._done: dict[tuple[str, str], str] = {}  # (file, name) -> name in the stand-alone file

    def operation(self, operation: Operation) -> str:
        """Adds a primitive's function (or factory); returns its name in the stand-alone file.

        Raises:
            PrimitiveError: its source, or that of something it needs, is not available.
        """
        function = getattr(operation.function, "__wrapped__", operation.function)
        function = inspect.unwrap(function)
        return self._object(function, operation.name, operation, wanted=operation.name)

    def own(self, thing: Any) -> None:
        """Adds a class or function of this package under its own name."""
        self._taken.discard(thing.__name__)
        self._object(thing, thing.__name__, Operation(thing.__name__, "structure", (_NONE,), thing))

    def _object(self, thing: Any, name: str, operation: Operation, wanted: str | None = None) -> str:
        """Adds a function or class of the running program by its source."""
        code = getattr(thing, "__code__", None)
        if code is not None and code.co_freevars:
            self._fail(operation, f"`{name}` uses {', '.join(code.co_freevars)} of the function it is defined in")
        try:
            lines, start = inspect.findsource(thing)
            path = inspect.getsourcefile(thing) or code.co_filename if code else inspect.getsourcefile(thing)
        except (OSError, TypeError):
            self._fail(operation, f"the source of `{name}` is not available")
        file = self._file(str(path), lines, operation)
        node = _definition(file.tree, thing, start + 1)
        if node is None:
            self._fail(operation, f"`{name}` is no `def` or `class` that stands in {path}")
        space = getattr(thing, "__globals__", vars(sys.modules.get(getattr(thing, "__module__", ""), types)))
        return self._definition(file, node, operation, space, wanted or node.name)

    def _definition(
        self,
        file: SourceFile,
        node: ast.FunctionDef | ast.ClassDef,
        operation: Operation,
        space: dict[str, Any],
        wanted: str,
    ) -> str:
        key = (file.path, f"{node.name}:{node.lineno}")
        if key in self._done:
            return self._done[key]
        name = self._done[key] = self._free(wanted, file)
        if file.bindings.get(node.name, [None])[-1] is node:
            file.names[node.name] = name
        kept = [d for d in node.decorator_list if not self._of_this_package(file, d)]
        bare = node
        if kept != node.decorator_list:
            bare = copy.copy(node)
            bare.decorator_list = kept
        self._needs(file, node, bare, operation, space)
        text = "".join(f"@{self._text(file, d, operation)}\n" for d in kept) + self._text(file, node, operation)
        word = "class" if isinstance(node, ast.ClassDef) else "def"
        text = text.replace(f"{word} {node.name}", f"{word} {name}", 1)
        self.pieces.append(f"# from {_shown(file.path)}\n{text}")
        return name

    def _needs(
        self, file: SourceFile, owner: ast.stmt, part: ast.stmt, operation: Operation, space: dict[str, Any]
    ) -> None:
        """Adds everything that a statement, or a part of it, refers to."""
        own = getattr(owner, "name", None)
        for name, annotation in free_names(part).items():
            if name == own and file.bindings.get(name, [None])[-1] is owner:
                continue
            if not self._global(file, name, operation, space) and not annotation:
                self._fail(operation, f"it needs `{name}`, whose source is not available")

    def _global(self, file: SourceFile, name: str, operation: Operation, space: dict[str, Any]) -> bool:
        """Adds what a global name of a file stands for; False if nothing that can be copied is known of it."""
        if name in file.names or (name in self._given and Path(file.path).resolve().is_relative_to(PROGRAM)):
            return True
        statements = file.bindings.get(name)
        if not statements:
            return self._value(file, name, operation, space)
        last = statements[-1]
        if isinstance(last, ast.Import | ast.ImportFrom):
            return self._import(file, last, name, operation, space)
        if isinstance(last, ast.FunctionDef | ast.ClassDef):
            file.names[name] = name  # stops a circle; the definition writes the name it gets
            file.names[name] = self._definition(file, last, operation, space, name)
            return True
        file.names[name] = self._free(name, file)
        for statement in statements:
            for other in bound_inside(statement) - {name}:
                file.names.setdefault(other, self._free(other, file))
            self._needs(file, statement, statement, operation, space)
            self.pieces.append(f"# from {_shown(file.path)}\n{self._text(file, statement, operation)}")
        return True

    def _import(
        self,
        file: SourceFile,
        node: ast.Import | ast.ImportFrom,
        name: str,
        operation: Operation,
        space: dict[str, Any],
    ) -> bool:
        alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
        module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
        if module.startswith("."):
            module = resolve_name(module, str(space.get("__package__")))
        root = module.partition(".")[0]
        if root == "kdzero_gp":
            return False
        if root == "primitives" or not is_installed(root):  # a neighbouring file, which is copied in turn
            origin = sys.modules.get(module)
            lines = linecache.getlines(str(getattr(origin, "__file__", "")))
            if origin is None or not lines or isinstance(node, ast.Import):
                self._fail(operation, f"it imports {module} as a whole; import the names it needs from there")
            source = self._file(str(origin.__file__), lines, operation)
            known = self._global(source, alias.name, operation, vars(origin))
            if known:
                file.names[name] = source.names.get(alias.name, alias.name)
            return known
        if root not in sys.stdlib_module_names and root != "torch":
            self.third_party.add(root)
        for statement, bound in ((import_statement(node, name, new), new) for new in self._candidates(name, file)):
            if self.imports.get(statement) == bound or bound not in self._taken:
                self.imports[statement] = bound
                self._taken.add(bound)
                file.names[name] = bound
                return True
        return False

    def _value(self, file: SourceFile, name: str, operation: Operation, space: dict[str, Any]) -> bool:
        """Adds a global without a statement in the file: a builtin, a plain value, or from another cell."""
        if name not in space:
            return hasattr(builtins, name)
        value = space[name]
        origin = str(getattr(value, "__module__", ""))
        if isinstance(value, types.FunctionType | type) and not origin.startswith("kdzero_gp"):
            file.names[name] = name
            file.names[name] = self._object(inspect.unwrap(value), name, operation)
            return True
        if isinstance(value, types.ModuleType) and is_installed(value.__name__.partition(".")[0]):
            statement = f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
            self.imports[statement] = file.names[name] = name
            self._taken.add(name)
            return True
        if isinstance(value, PLAIN) or (isinstance(value, tuple) and all(isinstance(v, PLAIN) for v in value)):
            file.names[name] = self._free(name, file)
            self.pieces.append(f"{file.names[name]} = {value!r}")
            return True
        return False

    def _of_this_package(self, file: SourceFile, decorator: ast.expr) -> bool:
        node: ast.expr = decorator.func if isinstance(decorator, ast.Call) else decorator
        while isinstance(node, ast.Attribute):
            node = node.value
        for statement in file.bindings.get(node.id, []) if isinstance(node, ast.Name) else []:
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("kdzero_gp"):
                return True
            if isinstance(statement, ast.Import) and any(a.name.startswith("kdzero_gp") for a in statement.names):
                return True
        return isinstance(node, ast.Name) and node.id not in file.bindings and node.id in _DECORATORS

    def _text(self, file: SourceFile, node: ast.AST, operation: Operation) -> str:
        changed = {old: new for old, new in file.names.items() if old != new}
        try:
            return renamed(file.lines, node, changed)
        except ValueError as error:
            self._fail(operation, str(error))

    def _file(self, path: str, lines: list[str], operation: Operation) -> SourceFile:
        if path not in self._files:
            try:
                tree, bound = _parsed("".join(lines))
            except (SyntaxError, ValueError) as error:
                self._fail(operation, f"{path} is not plain Python: {error}")
            self._files[path] = SourceFile(path, lines, tree, bound)
        return self._files[path]

    def _candidates(self, name: str, file: SourceFile) -> list[str]:
        stem = "".join(c if c.isalnum() else "_" for c in Path(file.path).stem)
        return [name, f"{name}_", f"{name}_{stem}", *(f"{name}_{stem}{i}" for i in range(2, 100))]

    def _free(self, name: str, file: SourceFile) -> str:
        candidates = self._candidates(name, file)
        chosen = next(c for c in [candidates[0], *candidates[2:]] if c not in self._taken)
        self._taken.add(chosen)
        return chosen

    def _fail(self, operation: Operation, fault: str) -> NoReturn:
        raise PrimitiveError(
            f"{operation.source}: `{operation.name}` cannot be written into a stand-alone file: {fault}; declare it as "
            "a plain function in a .py file, with everything it needs at the top of that file"
        )


_NONE = Signature((), type(None))
_DECORATORS = ("transform", "distance", "weight")


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[ast.Module, dict[str, list[ast.stmt]]]:
    tree = ast.parse(text)
    return tree, bindings(tree)


def _definition(tree: ast.Module, thing: Callable[..., Any], line: int) -> ast.FunctionDef | ast.ClassDef | None:
    """Gives the definition of a function or class that starts at a line, its decorators included."""
    for node in _definitions(tree):
        if node.name == thing.__name__:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= line <= node.lineno:
                return node
    return None


@lru_cache(maxsize=256)
def _definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _shown(path: str) -> str:
    """Gives the file's last two parts, which do not tell where the machine keeps it."""
    return "/".join(Path(path).parts[-2:])
