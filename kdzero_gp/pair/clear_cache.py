"""The option `--clear-cache`, which empties the cache of teachers and ends the command."""

from typing import Annotated

import typer

from kdzero_gp.console.command import errors_told


def _clear(wanted: bool) -> None:
    if not wanted:
        return
    from kdzero_gp.tasks.teacher.folder import clear_cache  # only here: help is shown without it

    with errors_told():
        cleared = clear_cache()
    typer.echo(f"removed {cleared.files} files, {cleared.size / 2**30:.2f} GiB")
    raise typer.Exit


ClearCache = Annotated[
    bool,
    typer.Option(
        "--clear-cache", callback=_clear, is_eager=True, help="Empty the cache of trained teachers and their outputs."
    ),
]
