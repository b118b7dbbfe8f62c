"""What all commands share: a console that fits files, output kept apart, an orderly end on Ctrl-C."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import TextIO

import typer
from rich.console import Console

from kdzero_gp.errors import EXIT_CODE, KdzeroError, Stop

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended."""
WIDTH = 200
"""Columns of a table that goes into a file."""


def make_console(file: TextIO, *, quiet: bool = False) -> Console:
    """Makes a console with room for tables where they go into a file or a pipe, which have no width of their own."""
    console = Console(file=file, quiet=quiet)
    return console if console.is_terminal else Console(file=file, quiet=quiet, width=WIDTH)


@contextmanager
def own_output(quiet: bool) -> Iterator[None]:
    """Keeps what the user's own primitives and models print apart from ours: on stderr, or nowhere."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if quiet else sys.stderr):
        yield


class Interrupted(Stop, KeyboardInterrupt):
    """Ctrl-C, but no plain KeyboardInterrupt: where that passes through `exec` of a text, as in the making of a
    dataclass, CPython remembers it, and the process ends by the signal instead of its exit code, caught or not."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets the first Ctrl-C or SIGTERM end the work in order; further ones change nothing until the process is gone."""
    signals = [s for s in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(s) is not signal.SIG_IGN]
    before = {s: signal.getsignal(s) for s in signals}

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        before.clear()
        raise Interrupted

    for each in signals:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def errors_told() -> Iterator[None]:
    """Ends the command with an error's message and its exit code."""
    try:
        yield
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None
