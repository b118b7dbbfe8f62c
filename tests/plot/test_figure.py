"""A figure of one's own: one file with a decorated function, and it is a command with its options."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from kdzero_gp.console.options import Commas, option
from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.__main__ import make_app
from kdzero_gp.plot.figure import FIGURES, OUT, Name, Out, Trainings, figure
from kdzero_gp.plot.files import Written

SEEN: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def _own() -> Iterator[None]:
    SEEN.clear()
    with FIGURES.restored():

        @figure("dots", "Dots for trainings.")
        def dots_figure(
            trainings: Trainings,
            *,
            size: Annotated[int, typer.Option(help="Of a dot.")] = 3,
            labels: Annotated[Sequence[str], Commas(), option("By commas.")] = (),
            number: Annotated[Sequence[int], option("May be repeated.")] = (),
            out: Out = OUT,
            name: Name = None,
            **chosen: str | int | None,
        ) -> Written:
            if size < 1:
                raise ConfigError(f"--size is {size}, but must be at least 1")
            SEEN.append({"trainings": trainings, "size": size, "labels": labels, "number": number, **chosen})
            return Written(*(Path(out) / f"{name or 'dots'}.{ending}" for ending in ("svg", "png", "csv")))

        yield


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(make_app(), arguments, env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


def test_it_is_a_command_with_the_options_of_its_signature() -> None:
    assert "Dots for trainings." in invoke("--help").stdout
    text = invoke("dots", "--help").stdout
    for part in (
        "trainings...",
        "--size",
        "Of a dot. [default: 3]",
        "--teacher-weights",
        "[default: figures]",
        "--quiet",
    ):
        assert part in text


def test_it_is_drawn_with_what_was_given_alone() -> None:
    result = invoke("dots", "a", "b")
    assert (result.exit_code, result.stdout.split()) == (0, [f"figures/dots.{e}" for e in ("svg", "png", "csv")])
    more = "dots a --size 5 --labels x,y --number 1 --number 2 --teacher cnn4 --threads 2 --out o --name n --quiet"
    assert invoke(*more.split()).stdout == ""
    assert SEEN == [
        {"trainings": ("a", "b"), "size": 3, "labels": (), "number": ()},
        {"trainings": ("a",), "size": 5, "labels": ("x", "y"), "number": (1, 2), "teacher": "cnn4", "threads": 2},
    ]


def test_its_errors_are_one_message_and_an_exit_code() -> None:
    result = invoke("dots", "a", "--size", "0")
    assert (result.exit_code, result.stderr) == (2, "error: --size is 0, but must be at least 1\n")


def test_all_figures_are_found() -> None:
    assert {"cam", "capacity", "correlation", "curves", "tsne"} < set(FIGURES)
