"""The three decorators that declare an operation and put it into the active registry."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import Kind, Operation, Side, Signature, single_precision_inside, with_logits
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, PerSample

Function = TypeVar("Function", bound=Callable[..., Any])


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
    *,
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    labels: bool = False,
    normalise: bool = True,
    extended: bool = False,
) -> Callable[[Function], Function]: ...
def weight(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    labels: bool = False,
    normalise: bool = True,
    extended: bool = False,
) -> Function | Callable[[Function], Function]:
    """Declares a sample weighting: `(student_logits, teacher_logits) -> u (N,)`, u ≥ 0.

    The engine detaches u, rescales it to mean 1 over the batch (uniform if all are 0), unless it is not to be
    normalised, and multiplies the distance.

    Args:
        identity: u is constant, so the canonical form drops the operation.
        labels: the function also takes a keyword `targets`, (N,) int64.
        normalise: whether it is rescaled.
        name, formula, extended: as for `transform`.
    """

    def declare(function: Function) -> Function:
        options = {"name": name, "formula": formula, "identity": identity, "labels": labels, "extended": extended}
        options["normalise"] = normalise
        return _register("weight", function, (Signature((PerSample,), PerSample),), options)

    return declare if function is None else declare(function)
