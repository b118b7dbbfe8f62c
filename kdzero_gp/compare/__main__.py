"""`python -m kdzero_gp.compare`: several distillers and hand-designed methods on one pair, in one table."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from kdzero_gp.compare.setup import ComparisonConfig
from kdzero_gp.console.command import INTERRUPTED, errors_told, interruptible, make_console, own_output
from kdzero_gp.console.options import AsJson, Quiet, option, takes
from kdzero_gp.errors import ConfigError
from kdzero_gp.pair.clear_cache import ClearCache

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
METHODS_HELP = (
    "What to compare, by commas: methods (kd, review, dkd(beta=8), …; all, or trees for those that can be seeds of a "
    "search), none (the student alone), best.json files and text forms, two of these added by ' + ', each with or "
    "without LABEL= in front; may be repeated."
)


@app.command()
@takes(ComparisonConfig)
def compare(
    options: dict[str, Any],
    *,
    methods: Annotated[list[str] | None, option(METHODS_HELP)] = None,
    list_methods: Annotated[
        bool, typer.Option("--list-methods", help="Show all hand-designed methods and stop.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Trainings of each, numbered from 0.")] = 3,
    out: Annotated[Path | None, option("Folder to begin or go on with (default comparisons/DATE_PAIR).")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Do failed trainings again.")] = False,
    clear_cache: ClearCache = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train one student by several methods and seeds under one recipe, and print the table."""
    with errors_told():
        if list_methods:
            _list_methods(as_json=as_json)
            return
        if not methods:
            raise ConfigError("no methods are given; name some, as in --methods none,kd,dist, or all")
        own = {"seeds": seeds, "retry_failed": retry_failed}
        _compare(methods, options | own, out, quiet=quiet, as_json=as_json)


def _compare(methods: list[str], options: dict[str, Any], out: Path | None, *, quiet: bool, as_json: bool) -> None:
    from kdzero_gp.compare.comparison import compare as run_comparison
    from kdzero_gp.compare.progress import ComparisonProgress
    from kdzero_gp.compare.report import print_table
    from kdzero_gp.tasks.kinds import DEFAULT, kind_of

    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet)
    kind = kind_of(options.get("task", DEFAULT))
    with interruptible(), ComparisonProgress(console, kind) as progress, own_output(quiet):
        try:
            found = run_comparison(methods, out=out, follower=progress, **options)
        except KeyboardInterrupt:
            _say_how_to_go_on(progress.folder)
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        typer.echo((found.folder / "table.json").read_text(encoding="utf-8"))
        return
    print_table(console, found.rows, found.facts)
    console.print(f"table as text, CSV, JSON and plot: {found.folder}", highlight=False, markup=False, soft_wrap=True)


def _list_methods(*, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from kdzero_gp.methods.listing import PAIR, method_rows

    with own_output(quiet=False):
        rows = method_rows()
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    table = Table(title=f"hand-designed methods; parameters and taps for {PAIR[1]} -> {PAIR[0]} on CIFAR-100")
    for name in ("method", "kind", "taps (student | teacher)", "learned", "epochs", "CE", "options", "home", "paper"):
        table.add_column(name, justify="right" if name == "learned" else "left", overflow="fold")
    for row in rows:
        needs = f"{row.kind}; {', '.join(row.needs)}" if row.needs else row.kind
        learned = f"{row.learned:,}" if row.learned else "-"
        cells = (
            row.name,
            needs,
            row.taps,
            learned,
            row.phases,
            f"{row.ce_weight:g}",
            row.options,
            row.home,
            row.source,
        )
        table.add_row(*map(escape, cells))
    make_console(sys.stdout, quiet=False).print(table)


def _say_how_to_go_on(folder: str) -> None:
    if not folder:
        typer.echo("interrupted before anything was trained; nothing was stored", err=True)
    else:
        typer.echo(
            f"interrupted; what was finished is stored. Go on with the same command and --out {shlex.quote(folder)}",
            err=True,
        )


if __name__ == "__main__":
    app()
