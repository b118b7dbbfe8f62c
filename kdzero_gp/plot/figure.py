"""Figures by name: the signature of the function that draws one declares the command's arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import typer
from typer.models import ParameterInfo

from kdzero_gp.console.options import Options, Quiet, option, read_value, takes, typed_as
from kdzero_gp.folder_choices import FolderChoices
from kdzero_gp.pair.stored import StoredPairOptions
from kdzero_gp.plot.files import Written

Trainings = Annotated[
    Sequence[str],
    typer.Argument(help="Folders of python -m kdzero_gp.train, each with or without LABEL= in front."),
]
Comparisons = Annotated[
    Sequence[Path | str], typer.Argument(help="Folders of python -m kdzero_gp.compare.", show_default=False)
]
Out = Annotated[str | Path, typer.Option(help="Folder of the three files.")]
Name = Annotated[str | None, option("Their name without ending (default: the figure's).")]
OUT = "figures"
LAST = ("out", "name")
"""Parameters that stand behind those of the pair."""


@dataclass(frozen=True)
class Figure:
    """A figure with a name.

    Attributes:
        about: what the command's help says.
        draw: draws it and writes its files. Its parameters are those of the command, each annotated with a
            `typer.Argument` or `typer.Option`, `out` and `name` among them; with `**chosen` the command has the options
            of `StoredPairOptions`, too.
    """

    name: str
    about: str
    draw: Callable[..., Written]

    def as_command(self, show: Callable[[Callable[[], Written], bool], None]) -> Callable[..., None]:
        """Makes the function of the command.

        Args:
            show: is given what draws the figure, and whether to be quiet.
        """
        own = inspect.signature(self.draw, eval_str=True).parameters
        named = {name: each for name, each in own.items() if each.kind is not each.VAR_KEYWORD}
        marks = {name: get_args(each.annotation)[1:] for name, each in named.items()}

        def command(options: dict[str, Any], quiet: bool, **values: Any) -> None:
            read = {name: read_value(value, marks[name]) for name, value in values.items()}
            given = {name: value for name, value in read.items() if value is not None}
            show(lambda: self.draw(**given, **options), quiet)

        order = [_parameter(named[name]) for name in sorted(named, key=lambda name: name in LAST)]
        order.insert(len(order) - len(LAST), inspect.Parameter("options", inspect.Parameter.KEYWORD_ONLY))
        quiet = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
        command.__signature__ = inspect.Signature([*order, quiet])  # type: ignore[attr-defined]
        return takes(Options if named.keys() == own.keys() else StoredPairOptions)(command)


def _parameter(own: inspect.Parameter) -> inspect.Parameter:
    """Converts a parameter to typer's form: several values are a list, and a missing one is None."""
    annotation, *marks = get_args(own.annotation)
    kind = typed_as(annotation, marks)
    default = None if own.default == () else own.default
    (shown,) = (mark for mark in marks if isinstance(mark, ParameterInfo))
    annotated = Annotated[kind | None if default is None else kind, shown]  # type: ignore[valid-type]
    return inspect.Parameter(own.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotated)


FIGURES: FolderChoices[Figure] = FolderChoices("figure", "kdzero_gp.plot")
"""All figures by the name of their command."""
Draw = TypeVar("Draw", bound=Callable[..., Written])


def figure(name: str, about: str) -> Callable[[Draw], Draw]:
    """Declares a figure by the function that draws it; see `Figure`."""

    def register(draw: Draw) -> Draw:
        FIGURES.add(name, Figure(name, about, draw), about, f"{draw.__module__}.{draw.__qualname__}")
        return draw

    return register
