"""The three decorators that declare an operation and put it into the active registry."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

from torch import nn

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.digest import declared_code
from kdzero_gp.grammar.operation import (
    BUILT_IN,
    LEARNED,
    Classes,
    Kind,
    Operation,
    Side,
    Signature,
    single_precision_inside,
    with_logits,
)
from kdzero_gp.grammar.place import place_of
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.types import CONSTANTS, KNOWLEDGE, RESULTS, Logits, PerSample

Function = TypeVar("Function", bound=Callable[..., Any])


def _register(kind: Kind, function: Function, signatures: tuple[Signature, ...], options: dict[str, Any]) -> Function:
    source = place_of(function)
    name = options.pop("name", None) or _name(function)
    if kind == "transform" and _is_module_class(function):
        options["learned"] = True
    own = source.startswith(BUILT_IN)
    computed = function if options.get("learned") else single_precision_inside(function, copied=not own)
    active_registry().add(
        Operation(
            name=name,
            kind=kind,
            signatures=signatures,
            function=computed,
            doc=inspect.getdoc(function) or "",
            source=source,
            code=declared_code(function),
            **options,
        )
    )
    return computed  # type: ignore[return-value]  # functools.wraps keeps the signature


def _name(declared: Any) -> str:
    """Gives the function's name, or a class's in lower case: `MyHint` is `my_hint`."""
    name = str(getattr(declared, "__name__", type(declared).__name__))
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() if isinstance(declared, type) else name


def _is_module_class(declared: object) -> bool:
    return isinstance(declared, type) and issubclass(declared, nn.Module)


def _check_declared(declared: Any, decorator: str, *, learned: bool) -> None:
    """Refuses what cannot be a primitive of this kind, with the user's line and the form that works."""
    place, name = place_of(declared), getattr(declared, "__name__", type(declared).__name__)
    if isinstance(declared, nn.Module):
        raise PrimitiveError(
            f"{place}: @{decorator} was given an instance of {type(declared).__name__}, whose parameters all "
            f"candidates would share; {LEARNED}"
        )
    if not callable(declared):
        raise PrimitiveError(f"{place}: @{decorator} declares a function, it was given a {type(declared).__name__}")
    if decorator != "transform" and (learned or _is_module_class(declared)):
        raise PrimitiveError(
            f"{place}: `{name}` has learned parts, but only a transform may have them: put them into one and compare "
            f"what it gives; {LEARNED}"
        )
    if isinstance(declared, type) and not issubclass(declared, nn.Module):
        raise PrimitiveError(f"{place}: @{decorator} declares a function, `{name}` is a class; {LEARNED}")


def _check_types(given: tuple[Any, ...], decorator: str, example: str) -> None:
    """Refuses a decorator without its types: `@transform` above a function would take the function for a type."""
    first = given[0] if given else None
    if (callable(first) and not isinstance(first, type)) or _is_module_class(first):
        raise PrimitiveError(
            f"{place_of(first)}: @{decorator} needs the types that `{getattr(first, '__name__', first)}` takes; write "
            f"for example {example}"
        )


def _inputs(alternative: Any, constants: tuple[type, ...], name: str, place: str) -> tuple[type, ...]:
    inputs = alternative if isinstance(alternative, tuple) else (alternative,)
    for type_ in inputs:
        if type_ not in KNOWLEDGE:
            raise PrimitiveError(
                f"{place}: `{name}` takes {getattr(type_, '__name__', type_)!r}, but inputs are Map, Rows, Vector or "
                "Logits"
            )
    for type_ in constants:
        if type_ not in CONSTANTS:
            known = ", ".join(each.__name__ for each in CONSTANTS)
            raise PrimitiveError(
                f"{place}: `{name}` has the constant {type_!r}, but constants are of type {known} or of a subclass of "
                "Constant"
            )
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
    bridges: bool = False,
    classes: Classes = "any",
    extended: bool = False,
) -> Callable[[Function], Function]:
    """Declares a transform: a function of one side's tensor that the engine applies to both sides.

    Args:
        types: the input types it works on, one overload each; a tuple stands for several inputs.
        to: output type of every overload; by default the type of its (first) input.
        constants: types of further arguments, such as `Value` or `Tau`, passed as floats.
        name: name in the text form, by default the function's.
        formula: LaTeX, shown by `--list-primitives` and in the gallery.
        identity, idempotent, random, learned, bridges, classes, extended: see `Operation`. A class of modules is
            learned in any case.
        teacher_only, student_only: apply it to one side and hand the other through.

    A `Vector` overload also takes `Logits`, giving a `Vector`.
    """

    _check_types(types, "transform", "@transform(Map)")

    def declare(function: Function) -> Function:
        _check_declared(function, "transform", learned=learned)
        label, place = name or _name(function), place_of(function)
        if not types:
            raise PrimitiveError(f"{place}: `{label}` names no input type; write for example @transform(Map)")
        if teacher_only and student_only:
            raise PrimitiveError(f"{place}: `{label}` is declared both teacher_only and student_only; keep at most one")
        if bridges and not (learned and teacher_only != student_only):
            raise PrimitiveError(
                f"{place}: `{label}` bridges the two sides, so it must be learned and student_only or teacher_only"
            )
        signatures = []
        for alternative in types:
            inputs = _inputs(alternative, constants, label, place)
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
            "bridges": bridges,
            "classes": classes,
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
    ragged: bool = False,
    classes: Classes | None = None,
    learned: bool = False,
    extended: bool = False,
) -> Callable[[Function], Function]:
    """Declares a distance: `(student, teacher, *constants) -> (N,)`, zero or more, smallest where they agree.

    Args:
        types: the knowledge types it compares, one overload each; a `Vector` overload also takes `Logits`.
        constants: types of further arguments, such as `Value` or `Tau`, passed as floats.
        labels: the function also takes a keyword `targets`, (N,) int64.
        ragged: the sides may differ in dimension 1, in channels, rows or features: no aligner is learned for that.
        classes: see `Operation`; by default `exclusive` with `labels` and `any` without.
        learned: no distance is; the message tells the form that works.
        name, formula, extended: as for `transform`.
    """
    _check_types(types, "distance", "@distance(Map, Vector)")

    def declare(function: Function) -> Function:
        _check_declared(function, "distance", learned=learned)
        label, place = name or _name(function), place_of(function)
        if not types:
            raise PrimitiveError(f"{place}: `{label}` names no input type; write for example @distance(Map, Vector)")
        signatures = tuple(Signature(_inputs(t, constants, label, place), PerSample) for t in types)
        options = {"name": name, "formula": formula, "labels": labels, "ragged": ragged, "extended": extended}
        options["classes"] = classes or _classes_of(labels)
        return _register("distance", function, with_logits(signatures), options)

    return declare


@overload
def weight(function: Function, /) -> Function: ...
@overload
def weight(
    *types: type,
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    labels: bool = False,
    normalise: bool = True,
    classes: Classes | None = None,
    learned: bool = False,
    extended: bool = False,
) -> Callable[[Function], Function]: ...
def weight(
    *types: Any,
    name: str | None = None,
    formula: str = "",
    identity: bool = False,
    labels: bool = False,
    normalise: bool = True,
    classes: Classes | None = None,
    learned: bool = False,
    extended: bool = False,
) -> Any:
    """Declares a sample weighting: `(student_logits, teacher_logits) -> u (N,)`, u ≥ 0.

    The engine detaches u, rescales it to mean 1 over the batch (uniform if all are 0), unless it is not to be
    normalised, and multiplies the distance.

    Args:
        types: `@weight`, `@weight()` and `@weight(Logits)` are one: a weighting reads the class scores of both sides.
        identity: u is constant, so the canonical form drops the operation.
        labels: the function also takes a keyword `targets`, (N,) int64.
        normalise: whether it is rescaled.
        classes: see `Operation`; by default `exclusive` with `labels` and `any` without.
        learned: no weighting is; the message tells the form that works.
        name, formula, extended: as for `transform`.
    """

    def declare(function: Function) -> Function:
        _check_declared(function, "weight", learned=learned)
        for type_ in types:
            if type_ not in (Logits, PerSample) and type_ is not function:
                raise PrimitiveError(
                    f"{place_of(function)}: `{name or _name(function)}` takes {getattr(type_, '__name__', type_)!r}, "
                    "but a sample weighting reads the class scores of both sides; write @weight(Logits)"
                )
        options = {"name": name, "formula": formula, "identity": identity, "labels": labels, "extended": extended}
        options["normalise"] = normalise
        options["classes"] = classes or _classes_of(labels)
        return _register("weight", function, (Signature((PerSample,), PerSample),), options)

    bare = len(types) == 1 and callable(types[0]) and types[0] not in (*KNOWLEDGE, *RESULTS, *CONSTANTS)
    return declare(types[0]) if bare else declare


def _classes_of(labels: bool) -> Classes:
    """Tells what an operation that does not say it takes class scores for: a label tells one class of several."""
    return "exclusive" if labels else "any"
