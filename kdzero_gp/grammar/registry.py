"""The registry of operations.

One process has one default registry; it holds the built-in `primitives` package from its first use on. Code that
needs another one (a test, an isolated search) copies it and registers inside `with registry.active():`.
"""

import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from kdzero_gp.errors import KdzeroError, PrimitiveError
from kdzero_gp.grammar.beside import line_of, modules_beside
from kdzero_gp.grammar.operation import STRUCTURE, Operation
from kdzero_gp.grammar.place import PROJECT
from kdzero_gp.grammar.probe import probe
from kdzero_gp.untrusted import error_text, user_path

NAME = re.compile(r"[a-z_][a-z0-9_]*")
TAP = re.compile(r"stage[1-9][0-9]{0,2}|pool|logits")
RESERVED = re.compile(r"stage[0-9]*|pool|logits")
"""What names no operation, lest it be taken for a tap."""


class Registry(Mapping[str, Operation]):
    """Operations by name.

    `version` grows with every change, so that what is derived from a registry can be renewed.
    """

    def __init__(self, operations: Mapping[str, Operation] | None = None) -> None:
        self._operations = dict(operations or {operation.name: operation for operation in STRUCTURE})
        self.version = 0
        self._loaded: set[str] = set()

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, name: str) -> Operation:
        return self._operations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    def copy(self) -> "Registry":
        """Copies the registry; the copy is independent."""
        return Registry(self._operations)

    def add(self, operation: Operation) -> None:
        """Probes an operation and adds it.

        The same file may declare its own operation anew, and so may a notebook cell or a prompt one that was typed
        before: every run of a cell that was edited has a file name of its own.

        Raises:
            PrimitiveError: the name is malformed, reserved or taken, or the function fails its probe.
        """
        name = operation.name
        if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
            raise PrimitiveError(
                f"{operation.source}: `{name}` cannot name a primitive: use lower-case letters, digits and "
                "underscores, and none of the tap names stage1, stage2, …, pool, logits"
            )
        known = self._operations.get(name)
        if known is not None and not _renews(operation, known):
            raise PrimitiveError(
                f"{operation.source}: the name `{name}` is taken by {known.source}; give yours another name"
            )
        probe(operation)
        self._operations[name] = operation
        self.version += 1

    @contextmanager
    def active(self) -> Iterator["Registry"]:
        """Makes this the registry that decorators, `parse` and `random_tree` use inside the `with` block."""
        token = _ACTIVE.set(self)
        try:
            yield self
        finally:
            _ACTIVE.reset(token)

    def load_files(self, paths: Iterable[str]) -> None:
        """Runs the user's files, once each, so that what they declare is registered.

        Raises:
            PrimitiveError: a file is missing, fails to run, or declares something that is refused.
        """
        for path in paths:
            if path in self._loaded or path in {o.source.rpartition(":")[0] for o in self.values()}:
                continue
            try:
                self.load_file(path)
                self._loaded.add(path)
            except SystemExit as error:
                raise PrimitiveError(
                    f"{path} ended the program while it was loaded (sys.exit: {error}); a primitive file only declares "
                    'functions: put what a script does below `if __name__ == "__main__":`'
                ) from None

    def load_file(self, path: str | Path) -> None:
        """Runs a user's Python file, whose decorators register here.

        It may import modules that lie beside it, as if it were run itself.

        Raises:
            PrimitiveError: there is no such file, it fails to run, or one of its primitives is refused.
        """
        path = user_path(path).resolve()
        if path.suffix != ".py" or not path.is_file():
            raise PrimitiveError(f"{path} is not a Python file; --primitives takes the path of a .py file")
        module_name = f"kdzero_gp_user_primitives_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise PrimitiveError(f"{path} cannot be loaded as a Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        before = dict(self._operations)
        try:
            with self.active(), modules_beside(path):
                spec.loader.exec_module(module)
        except KdzeroError:
            self._operations = before
            raise
        except Exception as error:
            self._operations = before
            raise PrimitiveError(f"{line_of(error, path)} failed while it was loaded: {error_text(error)}") from error
        except BaseException:
            self._operations = before
            raise


def _renews(operation: Operation, known: Operation) -> bool:
    """Tells whether a declaration replaces a known one of its name, as a `def` does, rather than clashing with it."""
    old, new = (PROJECT / (o.source.rpartition(":")[0] or o.source) for o in (known, operation))
    typed = not old.is_file() or known.module == operation.module == "__main__"
    return old == new or typed


_DEFAULT = Registry()
_ACTIVE: ContextVar[Registry | None] = ContextVar("active_registry", default=None)
_builtins_loaded = False


def active_registry() -> Registry:
    """Gives the registry of the enclosing `with registry.active()`, otherwise the process's default one."""
    active = _ACTIVE.get()
    return default_registry() if active is None else active


def default_registry() -> Registry:
    """Gives the process's default registry, with everything in the `primitives` package."""
    global _builtins_loaded
    if not _builtins_loaded:
        _builtins_loaded = True  # first, since the modules loaded below call this function
        try:
            with _DEFAULT.active():
                package = importlib.import_module("primitives")
                for module in pkgutil.walk_packages(package.__path__, "primitives."):
                    importlib.import_module(module.name)
        except KdzeroError:
            _builtins_loaded = False
            raise
        except Exception as error:
            _builtins_loaded = False
            raise PrimitiveError(
                f"the folder primitives/ cannot be loaded: {error_text(error)}; mend or remove the file"
            ) from error
    return _DEFAULT
