"""A command's options out of a model, where each is one field with its type, rule, default and help."""

import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

PLACE = "options"
"""The parameter of a command that a model's options take the place of."""


class Commas:
    """Marks a field of several names that a user types as one text, with commas between them."""


class Options(BaseModel):
    """A group of options that a command takes, each a field whose `description` is its help.

    In a description `{default}` stands for the default. Groups are put together by inheritance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_the_end: ClassVar[bool] = False
    """Whether the fields of this very class stand behind all others."""


def option_fields(model: type[Options]) -> dict[str, FieldInfo]:
    """Lists the fields in the order of help and messages: required ones first, then base by base."""
    late: dict[str, bool] = {}
    for name, at_the_end in _declared(model):
        late.setdefault(name, at_the_end)
    fields = model.model_fields
    return {name: fields[name] for name in sorted(late, key=lambda name: (not fields[name].is_required(), late[name]))}


def _declared(model: type[Options]) -> Iterator[tuple[str, bool]]:
    for base in model.__bases__:
        if issubclass(base, Options):
            yield from _declared(base)
    at_the_end = bool(vars(model).get("at_the_end", False))
    yield from ((name, at_the_end) for name in inspect.get_annotations(model) if name in model.model_fields)


def option(text: str, *names: str) -> Any:
    """Declares an option that is no field of a model: None means that the user did not give it."""
    return typer.Option(*names, help=text, show_default=False)


Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def takes(model: type[Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a model, in the place of its parameter `options`.

    The command is called with a dict of those that the user gave, by name, ready for the model: what a default is,
    and whether a value is allowed, is left to the model.
    """
    fields = option_fields(model)
    parameters = [_parameter(name, field) for name, field in fields.items()]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True)

        @wraps(function)
        def command(**values: Any) -> None:
            chosen = {name: read_value(values.pop(name), field.metadata) for name, field in fields.items()}
            given = {name: value for name, value in chosen.items() if value is not None}
            function(**{PLACE: given}, **values)

        expanded: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            expanded += parameters if parameter.name == PLACE else [parameter.replace(kind=parameter.KEYWORD_ONLY)]
        command.__signature__ = own.replace(parameters=expanded)  # type: ignore[attr-defined]
        command.__annotations__ = {}  # the signature says it all
        return command

    return decorate


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    kind = typed_as(field.annotation, field.metadata)
    flag = name.replace("_", "-")
    names = (f"--{flag}/--no-{flag}",) if kind is bool else (f"--{flag}",)
    annotation = Annotated[kind | None, option(_help(field), *names)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(field: FieldInfo) -> str:
    default = field.get_default()
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    return (field.description or "").replace("{default}", shown)


def typed_as(annotation: Any, marks: Iterable[Any] = ()) -> Any:
    """Tells the type that the command line reads for a value; what it is narrowed to is checked where it is used.

    Args:
        annotation: of the value.
        marks: what stands beside it in `Annotated`.
    """
    if get_origin(annotation) in (types.UnionType, Union):
        annotation = [part for part in get_args(annotation) if part is not type(None)][-1]
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) in (tuple, Sequence):
        return str if has_commas(marks) else list[typed_as(get_args(annotation)[0])]  # type: ignore[misc]
    return annotation


def has_commas(marks: Iterable[Any]) -> bool:
    """Tells whether several names are typed as one text."""
    return any(isinstance(mark, Commas) for mark in marks)


def read_value(value: Any, marks: Iterable[Any] = ()) -> Any:
    """Gives the value that the command line's stands for: several make a tuple; None where nothing was given."""
    if isinstance(value, str) and has_commas(marks):
        return tuple(name for part in value.split(",") if (name := part.strip())) or None
    return (tuple(value) or None) if isinstance(value, list) else value
