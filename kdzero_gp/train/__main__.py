"""`python -m kdzero_gp.train`: the final distillation of one student by one distiller."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, errors_told, interruptible, make_console, own_output
from kdzero_gp.console.options import AsJson, Quiet, option, takes
from kdzero_gp.pair.clear_cache import ClearCache
from kdzero_gp.train.config import FitConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@takes(FitConfig)
def train(
    options: dict[str, Any],
    *,
    run_dir: Annotated[Path | None, option("Folder of a new training (default runs/DATE_PAIR).")] = None,
    resume: Annotated[Path | None, option("Folder of a training to go on with.")] = None,
    clear_cache: ClearCache = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train one student by one distiller; the accuracy of the last epoch is the result."""
    with errors_told():
        _train(options, run_dir, resume, quiet=quiet, as_json=as_json)


def _train(options: dict[str, Any], run_dir: Path | None, resume: Path | None, *, quiet: bool, as_json: bool) -> None:
    from kdzero_gp.train.files import CONFIG_NAME, RESULT_NAME, read_json
    from kdzero_gp.train.progress import FitEvents, FitProgress
    from kdzero_gp.train.session import train as run_training

    others = os.environ.get("RANK", "0") != "0"  # torchrun: the first process speaks for all
    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet or others)
    with interruptible(), FitProgress(console) as progress, own_output(quiet or others):
        events = FitEvents(progress)
        try:
            result = run_training(run_dir=run_dir, resume=resume, observer=events, **options)
        except KeyboardInterrupt:
            begun = run_dir if run_dir is not None and (run_dir / CONFIG_NAME).exists() else None
            if not others:
                _say_how_to_go_on(progress.folder or resume or begun, progress.stored)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            events.close()
    if others or result.folder is None:
        return
    if as_json:
        typer.echo(json.dumps({"folder": str(result.folder)} | read_json(result.folder / RESULT_NAME)))
        return
    console.print(f"weights and record: {result.folder}", highlight=False, markup=False, soft_wrap=True)


def _say_how_to_go_on(folder: Path | None, epochs: int) -> None:
    if folder is None:
        typer.echo("interrupted before the training began; nothing was stored", err=True)
        return
    typer.echo(
        f"interrupted; the first {epochs} epochs are stored. Go on with: python -m kdzero_gp.train --resume "
        f"{shlex.quote(str(folder))}",
        err=True,
    )


if __name__ == "__main__":
    app()
