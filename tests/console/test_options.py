"""Options out of models: every command's help is that of its model, and what a user types reaches the model."""

import re
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from kdzero_gp.compare.__main__ import app as compare_app
from kdzero_gp.compare.setup import ComparisonConfig
from kdzero_gp.console.options import Commas, Options, option, option_fields, takes
from kdzero_gp.run.__main__ import app as run_app
from kdzero_gp.run.config import RunConfig
from kdzero_gp.train.__main__ import app as train_app
from kdzero_gp.train.config import FitConfig

COMMANDS = [(run_app, RunConfig), (train_app, FitConfig), (compare_app, ComparisonConfig)]


class Machine(Options):
    """Stands at the end."""

    at_the_end = True

    device: str = Field("cpu", description="{default} (default) or another.")


class Given(Machine):
    """One field of each kind."""

    lr: float | None = Field(None, gt=0, description="A rate.")
    mode: Literal["a", "b"] = Field("a", description="{default} (default) or b.")
    amp: bool = Field(False, description="Half of it.")
    names: tuple[str, ...] = Field((), description="One; may be repeated.")
    numbers: tuple[int, ...] = Field((), description="A number; may be repeated.")
    listed: Annotated[tuple[str, ...], Commas()] = Field((), description="Several, by commas.")
    size: float = Field(8.0, description="Of all (default {default}).")
    method: str = Field(description="Must be given.")


def call(*arguments: str) -> tuple[dict[str, Any], str]:
    """What a command gets from the command line, and its help."""
    seen: dict[str, Any] = {}
    app = typer.Typer(add_completion=False)

    @app.command()
    @takes(Given)
    def command(
        first: Annotated[int, option("A number.")] = 1,
        *,
        options: dict[str, Any],
        last: Annotated[int, option("L.")] = 2,
    ) -> None:
        """Does nothing."""
        seen.update(options, first=first, last=last)

    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    return seen, result.output


def options_shown(text: str) -> list[str]:
    """The names at the beginnings of the lines of a help, in order."""
    return re.findall(r"^│\s+\*?\s*--([\w-]+)", text, re.MULTILINE)


def test_what_is_not_given_is_left_to_the_model() -> None:
    assert call()[0] == {"first": 1, "last": 2}


def test_every_kind_of_field_is_read() -> None:
    typed = "--lr 0.5 --mode b --no-amp --names x --names y --numbers 3 --listed p,q --size 2 --device cuda --first 7"
    assert call(*typed.split())[0] == {
        "lr": 0.5,
        "mode": "b",
        "amp": False,
        "names": ("x", "y"),
        "numbers": (3,),
        "listed": ("p", "q"),
        "size": 2.0,
        "device": "cuda",
        "first": 7,
        "last": 2,
    }


def test_help_is_the_models_with_its_defaults_and_order() -> None:
    text = call("--help")[1]
    names = ["first", "method", "lr", "mode", "amp", "names", "numbers", "listed", "size", "device", "last", "help"]
    assert options_shown(text) == names
    for part in ("a (default) or b.", "Of all (default 8).", "cpu (default) or another.", "--no-amp"):
        assert part in text


@pytest.mark.parametrize(("app", "model"), COMMANDS)
def test_every_option_of_a_command_has_help_and_stands_in_it_once(app: typer.Typer, model: type[Options]) -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "250", "TERM": "dumb", "NO_COLOR": "1"}).output
    shown = options_shown(text)
    plain = re.sub(r"\s*│\s*\n│\s*|\s+", " ", text)
    for name, field in option_fields(model).items():
        assert field.description, name
        assert shown.count(name.replace("_", "-")) == 1, name
        assert field.description.partition("{")[0].partition(" (")[0] in plain, name
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize(("app", "model"), COMMANDS)
def test_a_default_in_the_help_is_the_models(app: typer.Typer, model: type[Options]) -> None:
    for name, field in option_fields(model).items():
        if field.default not in (None, (), True, False) and not field.is_required():
            told = "{default}" in (field.description or "") or f"{field.default} (default)" in (field.description or "")
            settled = name in ("preset", "views", "cache_gb", "augment") and model is not RunConfig
            assert told or settled, f"{name} has a default that its help does not tell, or tells by hand"
