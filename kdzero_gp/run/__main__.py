"""`python -m kdzero_gp.run`: evolve a distiller for a pair, compare it, draw it, hand it over."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, errors_told, interruptible, make_console, own_output
from kdzero_gp.console.options import AsJson, Quiet, option, takes
from kdzero_gp.pair.clear_cache import ClearCache
from kdzero_gp.run.config import RunConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@takes(RunConfig)
def run(
    options: dict[str, Any],
    *,
    run_dir: Annotated[Path | None, option("Folder of a new run (default runs/DATE_PAIR).")] = None,
    resume: Annotated[Path | None, option("Folder of a run to go on with.")] = None,
    list_primitives: Annotated[bool, typer.Option("--list-primitives", help="Show all operations and stop.")] = False,
    list_taps: Annotated[bool, typer.Option("--list-taps", help="Show the pair's taps and stop.")] = False,
    write_history: Annotated[
        Path | None, typer.Option("--write-history", help="Write the history.jsonl of a run folder anew and stop.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the winner's tree at the end.")] = False,
    clear_cache: ClearCache = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Evolve distillation losses for a teacher-student pair."""
    with errors_told():
        if list_primitives:
            _list_primitives(options, as_json=as_json)
        elif list_taps:
            _list_taps(options)
        elif write_history is not None:
            _write_history(write_history)
        else:
            _search(options, run_dir, resume, show=show, quiet=quiet, as_json=as_json)


def _search(
    options: dict[str, Any], run_dir: Path | None, resume: Path | None, *, show: bool, quiet: bool, as_json: bool
) -> None:
    from kdzero_gp.run.events import TensorBoardEvents
    from kdzero_gp.run.progress import ConsoleProgress
    from kdzero_gp.run.run import search
    from kdzero_gp.run.tables import result_table

    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet)
    with interruptible(), ConsoleProgress(console) as progress, own_output(quiet):
        events = TensorBoardEvents(progress)
        try:
            result = search(run_dir=run_dir, resume=resume, observer=events, **options)
        except KeyboardInterrupt:
            _say_how_to_go_on(progress.folder or resume)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            events.close()
    if as_json:
        best = str(result.best.tree) if result.best is not None else None
        record = {"folder": str(result.folder), "best": best, "table": [asdict(row) for row in result.table]}
        typer.echo(json.dumps(record))
        return
    if result.table:
        console.print(result_table(result.table, max(len(row.accuracy) for row in result.table), result.kind))
    if show and result.best is not None:
        from kdzero_gp.drawing.show import show as draw

        console.print(draw(result.best.tree), highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"drawings and figures: {result.folder / 'gallery' / 'index.html'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _say_how_to_go_on(folder: Path | None) -> None:
    if folder is None:
        typer.echo("interrupted before the run began; nothing was stored", err=True)
    else:
        typer.echo(
            "interrupted; what was finished is stored. Go on with: python -m kdzero_gp.run --resume "
            f"{shlex.quote(str(folder))}",
            err=True,
        )


def _list_primitives(options: dict[str, Any], *, as_json: bool) -> None:
    from kdzero_gp.grammar.registry import active_registry
    from kdzero_gp.pair.assemble import load_primitives
    from kdzero_gp.run.config import make_config
    from kdzero_gp.run.tables import primitive_rows, primitive_table

    with own_output(quiet=False):
        load_primitives(make_config(**options))
    rows = primitive_rows(active_registry().values())
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    make_console(sys.stdout).print(primitive_table(rows))


def _write_history(folder: Path) -> None:
    from kdzero_gp.store import RunStore

    with RunStore.read(folder) as store:
        typer.echo(str(store.write_history()))


def _list_taps(options: dict[str, Any]) -> None:
    from kdzero_gp.pair.assemble import make_data
    from kdzero_gp.pair.check import make_pair
    from kdzero_gp.run.config import make_config
    from kdzero_gp.run.tables import tap_table

    config = make_config(**options)
    with own_output(quiet=False):
        data = make_data(config)
        pair = make_pair(config, data).found.taps
    make_console(sys.stdout).print(tap_table(pair, f"{config.pair} on {data.name}"))


if __name__ == "__main__":
    app()
