"""`python -m kdzero_gp.plot FIGURE`: the paper's figures for any pair, from comparisons and final trainings."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from kdzero_gp.console.command import errors_told, make_console, own_output
from kdzero_gp.plot.figure import FIGURES
from kdzero_gp.plot.files import Written


def make_app() -> typer.Typer:
    """Makes the command line, with a command for each figure that is declared."""
    made = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    made.callback()(plot)
    for figure in FIGURES.values():
        made.command(figure.name, help=figure.about)(figure.as_command(_show))
    return made


def plot() -> None:
    """Draw the paper's figures: NAME.svg, NAME.png and the numbers behind them in NAME.csv."""


def _show(draw: Callable[[], Written], quiet: bool) -> None:
    with errors_told(), own_output(quiet):
        written = draw()
    console = make_console(sys.stdout, quiet=quiet)
    for path in (written.svg, written.png, written.csv):
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


app = make_app()

if __name__ == "__main__":
    app()
