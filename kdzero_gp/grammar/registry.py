"""The registry of operations, and the three decorators that fill it.

One process has one default registry; it holds the built-in `primitives` package from its first use on. Code that
needs another one (a test, an isolated search) copies it and registers inside `with registry.active():`.
"""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar, overload

from kdzero_gp.errors import KdzeroError, PrimitiveError
from kdzero_gp.grammar.operation import (
    STRUCTURE,
    Kind,
    Operation,
    Side,
    Signature,
    single_precision_inside,
    with_logits,
)
from kdzero_gp.grammar.probe import probe
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, PerSample

Function = TypeVar("Function", bound=Callable[..., Any])

NAME = re.compile(r"[a-z_][a-z0-9_]*")
TAP = re.compile(r"stage[0-9]+|pool|logits")


class Registry(Mapping[str, Operation]):
    """Operations by name. `version` grows with every change, so what is derived from a registry can be renewed."""

    def __init__(self, operations: Mapping[str, Operation] | None = None) -> None:
        self._operations = dict(operations or {operation.name: operation for operation in STRUCTURE})
        self.version = 0

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
        """An independent registry with the same operations."""
        return Registry(self._operations)

    def add(self, operation: Operation) -> None:
        """Probes an operation and adds it. The same file may declare its own operation anew (a re-run notebook cell).

        Raises:
            PrimitiveError: the name is malformed, reserved or taken, or the function fails its probe.
        """
        name = operation.name
        if not NAME.fullmatch(name) or TAP.fullmatch(name):
            raise PrimitiveError(
                f"{operation.source}: `{name}` cannot name a primitive: use lower-case letters, digits and "
                "underscores, and none of the tap names stage1, stage2, …, pool, logits"
            )
        known = self._operations.get(name)
        if known is not None and _file(known.source) != _file(operation.source):
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

    def load_file(self, path: str | Path) -> None:
        """Runs a Python file of the user's own, named by the user, so that its decorators register here.

        Raises:
            PrimitiveError: there is no such file, it fails to run, or one of its primitives is refused.
        """
        path = Path(path).expanduser().resolve()
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
            with self.active():
                spec.loader.exec_module(module)
        except KdzeroError:
            self._operations = before
            raise
        except Exception as error:
            self._operations = before
            raise PrimitiveError(f"{path} failed while it was loaded: {type(error).__name__}: {error}") from error


def _file(source: str) -> str:
    return source.rpartition(":")[0]


_DEFAULT = Registry()
_ACTIVE: ContextVar[Registry | None] = ContextVar("active_registry", default=None)
_builtins_loaded = False


def active_registry() -> Registry:
    """The registry of the enclosing `with registry.active()`, otherwise the process's default one."""
    active = _ACTIVE.get()
    return default_registry() if active is None else active


def default_registry() -> Registry:
    """The process's default registry, with everything in the `primitives` package."""
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
                f"the folder primitives/ cannot be loaded: {type(error).__name__}: {error}; mend or remove the file"
            ) from error
    return _DEFAULT


def _register(kind: Kind, function: Function, signatures: tuple[Signature, ...], options: dict[str, Any]) -> Function:
    code = inspect.unwrap(function)
    try:
        file, line = inspect.getsourcefile(code) or "?", inspect.getsourcelines(code)[1]
    except (OSError, TypeError):  # typed at a bare prompt: there is no source to point at
        file, line = "<interactive>", 0
    name = options.pop("name", None) or function.__name__
    computed = function if options.get("learned") else single_precision_inside(function)
    active_registry().add(
        Operation(
            name=name,
            kind=kind,
            signatures=signatures,
            function=computed,
            doc=inspect.getdoc(function) or "",
            source=f"{_readable(file)}:{line}",
            **options,
        )
    )
    return computed  # type: ignore[return-value]  # functools.wraps keeps the signature


def _readable(file: str) -> str:
    """A built-in's file relative to the project, since that is what a reader can open; any other as it is."""
    root = Path(__file__).resolve().parents[2]
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _inputs(alternative: type | tuple[type, ...], constants: tuple[type, ...], name: str) -> tuple[type, ...]:
    inputs = alternative if isinstance(alternative, tuple) else (alternative,)
    for type_ in inputs:
        if type_ not in KNOWLEDGE:
            raise PrimitiveError(
                f"`{name}` takes {getattr(type_, '__name__', type_)!r}, but inputs are Map, Rows, Vector or Logits"
            )
    for type_ in constants:
        if type_ not in CONSTANTS:
            raise PrimitiveError(f"`{name}` has the constant {type_!r}, but constants are of type Value or Tau")
    return (*inputs, *constants)


def transform(
    *types: type | tuple[type, ...],
    to: type | None = None,
    constants: tuple[type, ...] = (),
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    idempotent: bool = False,
    random: bool = False,
    teacher_only: bool = False,
    student_only: bool = False,
    learned: bool = False,
    extended: bool = False,
) -> Callable[[Function], Function]:
    """Declares a transform: a function of one side's tensor that the engine applies to both sides.

    Args:
        types: the input types it works on, one overload each; a tuple stands for several inputs.
        to: output type of every overload; by default the type of its (first) input.
        constants: types of further arguments, `Value` or `Tau`, passed as floats.
        name: name in the text form, by default the function's.
        formula: LaTeX, shown by `--list-primitives` and in the gallery.
        identity, idempotent, random, learned, extended: see `Operation`.
        teacher_only, student_only: apply it to one side and hand the other through.

    A `Vector` overload also takes `Logits`, giving a `Vector`.
    """

    def declare(function: Function) -> Function:
        label = name or function.__name__
        if not types:
            raise PrimitiveError(f"`{label}` names no input type; write for example @transform(Map)")
        if teacher_only and student_only:
            raise PrimitiveError(f"`{label}` is declared both teacher_only and student_only; keep at most one")
        signatures = []
        for alternative in types:
            inputs = _inputs(alternative, constants, label)
            signatures.append(Signature(inputs, to or inputs[0]))
        side: Side = "teacher" if teacher_only else "student" if student_only else "both"
        options = {
            "name": name,
            "formula": formula,
            "identity": identity,
            "idempotent": idempotent,
            "random": random,
            "side": side,
            "learned": learned,
            "extended": extended,
        }
        return _register("transform", function, with_logits(tuple(signatures)), options)

    return declare


def distance(
    *types: type,
    constants: tuple[type, ...] = (),
    name: str | None = None,
    formula: str = "",
    labels: bool = False,
    extended: bool = False,
) -> Callable[[Function], Function]:
    """Declares a distance: `(student, teacher, *constants) -> (N,)`, zero or more, smallest where they agree.

    Args:
        types: the knowledge types it compares, one overload each; a `Vector` overload also takes `Logits`.
        constants: types of further arguments, `Value` or `Tau`, passed as floats.
        labels: the function also takes a keyword `targets`, (N,) int64.
        name, formula, extended: as for `transform`.
    """

    def declare(function: Function) -> Function:
        label = name or function.__name__
        if not types:
            raise PrimitiveError(f"`{label}` names no input type; write for example @distance(Map, Vector)")
        signatures = tuple(Signature(_inputs(t, constants, label), PerSample) for t in types)
        options = {"name": name, "formula": formula, "labels": labels, "extended": extended}
        return _register("distance", function, with_logits(signatures), options)

    return declare


@overload
def weight(function: Function, /) -> Function: ...
@overload
def weight(
    *, name: str | None = None, formula: str = "", identity: bool = False, labels: bool = False, extended: bool = False
) -> Callable[[Function], Function]: ...
def weight(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    labels: bool = False,
    extended: bool = False,
) -> Function | Callable[[Function], Function]:
    """Declares a sample weighting: `(student_logits, teacher_logits) -> u (N,)`, u ≥ 0.

    The engine detaches u, rescales it to mean 1 over the batch (uniform if all are 0) and multiplies the distance.

    Args:
        identity: u is constant, so the canonical form drops the operation.
        labels: the function also takes a keyword `targets`, (N,) int64.
        name, formula, extended: as for `transform`.
    """

    def declare(function: Function) -> Function:
        options = {"name": name, "formula": formula, "identity": identity, "labels": labels, "extended": extended}
        return _register("weight", function, (Signature((PerSample,), PerSample),), options)

    return declare if function is None else declare(function)
